import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { firstLookMs } from '../../src/source/settle.ts'
import { aWorld, atRest, endWorlds, until, type World } from './world.ts'

afterEach(endWorlds)

/** Files of these names, known. */
async function aWorldWith(...paths: string[]): Promise<World> {
  const world = await aWorld({
    before(root) {
      for (const path of paths) {
        mkdirSync(join(root, path, '..'), { recursive: true })
        writeFileSync(join(root, path), `content of ${path}`)
      }
    },
  })
  await atRest(world)
  world.ledger.taken.length = 0
  return world
}

/** Within less time than passes until the first look; a busy machine may need more than one try. */
async function renamedAtOnce(): Promise<World> {
  for (let tries = 1; ; tries++) {
    const world = await aWorldWith('a', 'b', 'c', 'd')
    const startMs = performance.now()
    renameSync(path(world, 'a'), path(world, 'tmp'))
    renameSync(path(world, 'b'), path(world, 'a'))
    renameSync(path(world, 'tmp'), path(world, 'b'))
    renameSync(path(world, 'd'), path(world, 'e'))
    renameSync(path(world, 'c'), path(world, 'd'))
    if (performance.now() - startMs < firstLookMs / 2 || tries === 10) return world
  }
}

const path = (world: World, name: string): string => join(world.root, name)

describe('while it is watched', () => {
  test('F30: a renamed file is one move, and never gone', async () => {
    const world = await aWorldWith('a/x')

    mkdirSync(path(world, 'b'))
    renameSync(path(world, 'a/x'), path(world, 'b/y'))
    await until(() => world.ledger.taken.length > 0)
    await atRest(world, 500)

    expect(world.ledger.lines).toEqual(['move a/x b/y'])
  })

  test('F33: a swap and a chain are moves of one call', async () => {
    const world = await renamedAtOnce()
    await until(() => world.ledger.taken.length > 0)
    await atRest(world, 500)

    expect(world.ledger.lines.sort()).toEqual(['move a b', 'move b a', 'move c d', 'move d e'])
  })

  test('F31: a new file with a dead one’s inode is a new file', async () => {
    const world = await aWorldWith('a')

    rmSync(path(world, 'a'))
    writeFileSync(path(world, 'b'), 'content of b')
    await until(() => world.ledger.taken.length > 1)
    await atRest(world)

    expect(world.ledger.lines.sort()).toEqual(['put b', 'remove a'])
  })

  test('F49: a second link is a file of its own, and no move', async () => {
    const world = await aWorldWith('a')

    linkSync(path(world, 'a'), path(world, 'b'))
    await until(() => world.ledger.paths.includes('b'))
    await atRest(world, 500)

    expect(world.ledger.lines.filter((line) => line !== 'put a')).toEqual(['put b'])
    expect(world.ledger.paths).toEqual(['a', 'b'])
  })

  test('renamed and written to: gone and new, as what is in it is not what was known', async () => {
    const world = await aWorldWith('a')

    renameSync(path(world, 'a'), path(world, 'b'))
    appendFileSync(path(world, 'b'), 'more')
    await until(() => world.ledger.paths.join() === 'b')
    await atRest(world)

    expect(world.ledger.lines.sort()).toEqual(['put b', 'remove a'])
  })

  test('renamed to what is left out: gone', async () => {
    const world = await aWorldWith('a')

    renameSync(path(world, 'a'), path(world, 'a.tmp'))
    await until(() => world.ledger.taken.length > 0)

    expect(world.ledger.lines).toEqual(['remove a'])
  })
})

describe('while the program is off', () => {
  test('F34: renames of files and folders, chains and swaps are moves', async () => {
    const world = await aWorldWith('a', 'b', 'c', 'folder/x', 'folder/deep/y', 'stays')

    const again = await world.restart(() => {
      renameSync(path(world, 'a'), path(world, 'tmp'))
      renameSync(path(world, 'b'), path(world, 'a'))
      renameSync(path(world, 'tmp'), path(world, 'b'))
      renameSync(path(world, 'c'), path(world, 'd'))
      renameSync(path(world, 'folder'), path(world, 'other'))
    })
    await atRest(again, 500)

    const lines = ['move a b', 'move b a', 'move c d', 'move folder/deep/y other/deep/y', 'move folder/x other/x']
    expect(again.ledger.lines.sort()).toEqual(lines)
  })

  test('F34: what was last written long ago moves in the scan itself', async () => {
    const world = await aWorldWith('old')
    utimesSync(path(world, 'old'), 1_000_000, 1_000_000)
    await until(() => world.ledger.taken.length > 0)
    await atRest(world)
    world.ledger.taken.length = 0

    const again = await world.restart(() => renameSync(path(world, 'old'), path(world, 'older')))
    await atRest(again, 500)

    expect(again.ledger.lines).toEqual(['move old older'])
  })

  test('F32: of a folder of thousands nothing is ever gone, however long its scan takes', async () => {
    const world = await aWorldWith('from/0')
    for (let n = 0; n < 2_500; n++) writeFileSync(path(world, `from/${n}`), `${n}`)
    await until(() => world.ledger.paths.length === 2_500)
    await atRest(world)
    world.ledger.taken.length = 0

    const again = await world.restart(() => renameSync(path(world, 'from'), path(world, 'to')))
    await atRest(again, 500)

    expect(readdirSync(path(world, 'to'))).toHaveLength(2_500)
    expect(new Set(again.ledger.taken.map(({ kind }) => kind))).toEqual(new Set(['move']))
    expect(again.ledger.taken).toHaveLength(2_500)
  })
})
