import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { aWorld, atRest, endWorlds, until } from './world.ts'

afterEach(endWorlds)

/** Writes `count` files in `folders` new folders as fast as it can. */
const writer = (count: number, folders: number): string => `
  const fs = require('node:fs')
  for (let f = 0; f < ${folders}; f++) fs.mkdirSync('d' + f, { recursive: true })
  for (let n = 0; n < ${count}; n++) fs.writeFileSync('d' + (n % ${folders}) + '/f' + n, 'x')`

/** Holds up this thread and nothing else. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

describe('bursts', () => {
  test('F1: 20,000 files written while the program is blocked for 3 s all arrive, without an overflow', async () => {
    const world = await aWorld()

    const writing = spawn(process.execPath, ['-e', writer(20_000, 20)], { cwd: world.root })
    const written = once(writing, 'exit')
    block(3_000)
    await written
    await until(
      () => world.ledger.paths.length === 20_000,
      () => world.ledger.paths.length,
    )

    expect(world.notes.map(({ event }) => event)).toEqual([])
    expect(Math.max(...world.ledger.callSizes)).toBeLessThanOrEqual(1_000)
  }, 40_000)

  test('F2: an overflow is noticed, makes the source suspect, and is healed by a scan', async () => {
    const world = await aWorld({
      before: (root) => {
        for (let n = 0; n < 4; n++) mkdirSync(join(root, `d${n}`))
      },
    })
    const queueMax = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'latin1'))
    const count = queueMax
    const script = `kill -STOP $PPID; '${process.execPath}' -e "${writer(count, 4)}"; kill -CONT $PPID`

    // Stops every thread of this process while more events come than the kernel keeps: two per file.
    spawnSync('sh', ['-c', script], { cwd: world.root })
    await until(() => world.notes.some(({ event }) => event === 'overflow'))
    const { state } = world.source.state()
    await until(
      () => world.ledger.paths.length === count,
      () => world.ledger.paths.length,
    )
    await atRest(world)

    expect(state).toBe('suspect')
    expect(world.source.state()).toMatchObject({ state: 'watching', reason: null, watched: 5 })
  }, 40_000)
})
