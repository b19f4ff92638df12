/** F1: the whole daemon while its main thread can do nothing: what is written meanwhile is all in the journal afterwards. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { systemRandom } from '../../src/base/random.ts'
import { readConfig } from '../../src/config/config.ts'
import { startDaemon } from '../../src/daemon/daemon.ts'
import { aBench } from '../e2e/rig.ts'

const never = new AbortController().signal
/** 100,000 and three runs in `npm run test:soak`. */
const files = Number(process.env['FANFOLD_BURST_FILES'] ?? 5_000)
const runs = Number(process.env['FANFOLD_BURST_RUNS'] ?? 1)
/** As long as the writer needs, and then some. */
const blockedMs = files / 10
const folders = 50

const writer = `
  const fs = require('node:fs')
  for (let n = 0; n < ${files}; n++) {
    if (n < ${folders}) fs.mkdirSync('d' + n)
    fs.writeFileSync('d' + (n % ${folders}) + '/f' + n, 'x')
  }`

/** Holds up this thread and nothing else. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

test.each(Array.from({ length: runs }, (_, run) => run + 1))(
  `F1: ${files} files written while the main thread is blocked are all journalled, run %i`,
  async () => {
    const bench = aBench({ nas: "select: { include: ['nothing'] }" })
    const daemon = await startDaemon(
      readConfig(bench.config),
      { log: () => silentLog, clock: systemClock, random: systemRandom },
      never,
    )
    onTestFinished(() => daemon.stop())
    await daemon.idle(never)

    const written = once(spawn(process.execPath, ['-e', writer], { cwd: bench.inbox }), 'exit')
    block(blockedMs)
    await written
    await vi.waitUntil(() => daemon.desk.status().sources[0]?.files === files, {
      timeout: files + 10_000,
      interval: 20,
    })
    await daemon.idle(never)

    const lines = daemon.desk.history(null, 10_000).map(({ event }) => event)
    expect(daemon.desk.status().sources[0]).toMatchObject({ files, state: 'watching' })
    expect(lines).not.toContain('overflow')
  },
  files * 2 + 30_000,
)
