/** The kernel's limits of watching, reached for real: said with numbers, made up for by looking, and visible to who asks. */
import { spawn } from 'node:child_process'
import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { connect } from '../../src/control/client.ts'
import type { Status } from '../../src/control/control.ts'
import { aBench, fanfold, program, startDaemon, targetOf, type Bench } from '../e2e/rig.ts'

const queueFile = '/proc/sys/fs/inotify/max_queued_events'

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK)
    return process.getuid?.() === 0
  } catch {
    return false
  }
}

/** A queue is as long as the setting says when it is made: afterwards the setting may be what it was. */
async function withShortQueue<T>(length: number, start: () => Promise<T>): Promise<T> {
  const before = readFileSync(queueFile, 'latin1')
  const restore = (): void => writeFileSync(queueFile, before)
  onTestFinished(restore)
  writeFileSync(queueFile, String(length))
  try {
    return await start()
  } finally {
    restore()
  }
}

test.runIf(isWritable(queueFile))(
  'F2: an overflow of the kernel’s queue is seen in the status and the history, and healed within 60 s',
  async () => {
    const bench = aBench({ nas: "select: { include: ['nothing'] }" })
    mkdirSync(join(bench.inbox, 'many'))
    const daemon = await withShortQueue(512, () => startDaemon(bench))
    await daemon.until(({ sources }) => sources[0]?.state === 'watching')
    const count = 6_000

    daemon.child.kill('SIGSTOP')
    for (let n = 0; n < count; n++) writeFileSync(join(bench.inbox, 'many', `f${n}`), 'x')
    daemon.child.kill('SIGCONT')
    const startMs = performance.now()
    const suspect = await daemon.until(({ sources }) => sources[0]?.state === 'suspect')
    await daemon.until(({ sources }) => sources[0]?.files === count && sources[0].state === 'watching', 60_000)
    const healedMs = performance.now() - startMs
    const history = await fanfold(bench, 'history', '--json', '--limit', '10000')
    // Only this program writes it, for scripts to read.
    const lines = JSON.parse(history.stdout) as readonly { event: string; source: string | null }[]

    expect(suspect.healthy).toBe(false)
    expect(suspect.sources[0]?.reason).toBe('the kernel dropped events')
    expect(healedMs).toBeLessThan(60_000)
    expect((await daemon.status()).healthy).toBe(true)
    expect(lines.find(({ event }) => event === 'overflow')).toMatchObject({ source: 'inbox' })
  },
  120_000,
)

/** The daemon as root of a user namespace of its own, where a limit can be set that is nobody else's. */
function startLimited(bench: Bench, setting: string): (isThere: (status: Status) => boolean) => Promise<Status> {
  const words = ['--user', '--map-root-user', 'sh', '-c', `${setting} && exec "$@"`, 'sh']
  const child = spawn('unshare', [...words, process.execPath, program, 'run', '--config', bench.config], {
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return async (isThere) => {
    for (let last: unknown; ; last = undefined) {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}, ${String(last)}`)
      try {
        const signal = AbortSignal.timeout(20_000)
        const status = await (await connect(join(bench.folder, 'state', 'control.sock'), signal)).status(signal)
        if (isThere(status)) return status
      } catch {
        // It does not listen yet.
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

test.each([
  [
    'watches',
    'echo 20 > /proc/sys/user/max_inotify_watches',
    /not watched but polled: 20 watches are in use here and the limit is 20; raise user\.max_inotify_watches/,
  ],
  ['instances', 'echo 0 > /proc/sys/user/max_inotify_instances', /^cannot watch: .*max_(user|inotify)_instances/],
])(
  'F7: with no %s left the rest is polled, the numbers and the setting are named, and every file arrives',
  async (_what, setting, words) => {
    const bench = aBench({ nas: '' })
    for (let n = 0; n < 30; n++) mkdirSync(join(bench.inbox, `d${n}`))
    const until = startLimited(bench, setting)

    const degraded = await until(({ sources }) => sources[0]?.state === 'degraded')
    for (let n = 0; n < 30; n++) writeFileSync(join(bench.inbox, `d${n}`, 'file'), String(n))
    await until((status) => targetOf(status, 'nas').delivered === 30)

    expect(degraded.sources[0]?.reason).toMatch(words)
    expect(degraded.healthy).toBe(false)
  },
  60_000,
)
