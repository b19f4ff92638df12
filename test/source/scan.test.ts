import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { aWorld, atRest, endWorlds, until } from './world.ts'

afterEach(endWorlds)

describe('the start-up scan', () => {
  test('F9: what changed, came and went while the program was off is found', async () => {
    const world = await aWorld()
    for (const name of ['same', 'changed', 'gone', 'folder']) mkdirSync(join(world.root, name))
    for (const path of ['same/a', 'changed/a', 'gone/a', 'gone/b', 'folder/a', 'folder/b']) {
      writeFileSync(join(world.root, path), 'one')
    }
    await until(() => world.ledger.paths.length === 6)
    const before = world.ledger.taken.length

    const again = await world.restart(() => {
      writeFileSync(join(world.root, 'changed/a'), 'two!')
      rmSync(join(world.root, 'gone'), { recursive: true })
      rmSync(join(world.root, 'folder/b'))
      writeFileSync(join(world.root, 'new'), 'x')
    })
    await atRest(again, 500)

    expect(again.ledger.lines.slice(before).sort()).toEqual(
      ['put changed/a', 'put new', 'remove folder/b', 'remove gone/a', 'remove gone/b'].sort(),
    )
  })

  test('F42: a file replaced by an older one of equal size and time is found by its ctime', async () => {
    const world = await aWorld()
    writeFileSync(join(world.root, 'a'), 'one')
    utimesSync(join(world.root, 'a'), 1_000, 1_000)
    await atRest(world, 500)
    const before = world.ledger.taken.length

    const again = await world.restart(() => {
      writeFileSync(join(world.root, 'other'), 'two')
      utimesSync(join(world.root, 'other'), 1_000, 1_000)
      renameSync(join(world.root, 'other'), join(world.root, 'a'))
    })
    await atRest(again, 500)

    expect(again.ledger.lines.slice(before)).toEqual(['put a'])
  })

  test('F19: nothing is handed on twice, by however many scans it is seen', async () => {
    const world = await aWorld()
    for (let n = 0; n < 100; n++) writeFileSync(join(world.root, `f${n}`), 'x')
    await until(() => world.ledger.paths.length === 100)

    await world.source.rescan('test')
    await world.source.rescan('test')
    await atRest(world, 500)

    expect(world.ledger.taken).toHaveLength(100)
  })

  test('F16: 10,000 entries in one folder arrive in bounded calls, and so do their removals', async () => {
    const world = await aWorld()
    const names = Array.from({ length: 10_000 }, (_, n) => `f${n}`)
    await world.stop()

    const again = await world.restart(() => {
      for (const name of names) closeSync(openSync(join(world.root, name), 'w'))
    })
    await until(
      () => again.ledger.paths.length === 10_000,
      () => again.ledger.paths.length,
    )
    const third = await again.restart(() => {
      for (const name of names.slice(1)) rmSync(join(world.root, name))
    })
    await until(
      () => third.ledger.paths.length === 1,
      () => third.ledger.paths.length,
    )

    expect(third.ledger.paths).toEqual(['f0'])
    expect(Math.max(...third.ledger.callSizes)).toBeLessThanOrEqual(1_000)
    expect(third.ledger.taken).toHaveLength(10_000 + 9_999)
  }, 40_000)

  test('F20: a file found while it is written to settles first', async () => {
    const world = await aWorld({ settleMs: 2_000 })
    await world.stop()
    const fd = openSync(join(world.root, 'a'), 'w')
    writeSync(fd, 'x')

    const again = await world.restart()
    const takenByScan = again.ledger.taken.length
    await until(() => again.ledger.paths.includes('a'))
    closeSync(fd)

    expect(takenByScan).toBe(0)
  })
})

describe('polling', () => {
  test('F8: without a watch, files come, change and go within a few seconds', async () => {
    const world = await aWorld({ watch: 'poll' })

    writeFileSync(join(world.root, 'a'), '1')
    await until(() => world.ledger.paths.includes('a'))
    rmSync(join(world.root, 'a'))
    await until(() => world.ledger.paths.length === 0)

    expect(world.ledger.lines).toEqual(['put a', 'remove a'])
    expect(world.source.state()).toMatchObject({ state: 'polling', reason: 'watch: poll is configured', watched: 0 })
  })
})

describe('stopping', () => {
  test('A18: stop leaves no thread and no descriptor behind', async () => {
    const first = await aWorld()
    await first.stop()
    const before = { threads: threadNames(), fds: descriptors() }

    for (let round = 0; round < 3; round++) {
      const world = await aWorld()
      writeFileSync(join(world.root, 'a'), '1')
      await until(() => world.ledger.paths.length === 1)
      await world.stop()
    }

    expect(threadNames()).toEqual(before.threads)
    expect(descriptors()).toEqual(before.fds)
  })

  test('two sources on overlapping folders both see a file, and removing one leaves the other watching', async () => {
    const world = await aWorld()
    mkdirSync(join(world.root, 'inner'))
    const rest = {
      settleMs: 300,
      unsettledMsMax: 600_000,
      unsettled: 'wait' as const,
      oneFileSystem: false,
      checkWriters: false,
    }
    const config = { ignore: [], ...rest, rescanMs: 3_600_000, watch: 'auto' as const }
    const inner = await world.sources.add({ ...config, name: 'inner', path: join(world.root, 'inner') })
    await inner.firstScan
    await until(() => world.source.state().watched === 2)

    writeFileSync(join(world.root, 'inner/a'), '1')
    await until(() => world.ledger.taken.length === 2)
    await world.sources.remove('inner')
    writeFileSync(join(world.root, 'inner/b'), '1')
    await until(() => world.ledger.taken.length === 3)
    await atRest(world)

    expect(world.ledger.taken.map(({ source, path }) => `${source} ${path}`).sort()).toEqual(
      ['inner a', 'papers inner/a', 'papers inner/b'].sort(),
    )
  })
})

function threadNames(): number {
  return readdirSync('/proc/self/task').length
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}
