import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, test, vi } from 'vitest'
import { sourcePath } from '../../src/base/path.ts'
import type { FolderMove } from '../../src/journal/journal.ts'
import { TargetError, type Target } from '../../src/target/target.ts'
import { aWorld, forwarded, type World } from './rig.ts'
import { watched } from './watched.ts'

const soon = { timeout: 30_000, interval: 10 }
const everything = {
  sources: undefined,
  include: [],
  exclude: [],
  sizeMin: 0,
  sizeMax: undefined,
  newerThanMs: undefined,
}

async function settled(world: World): Promise<void> {
  await vi.waitUntil(() => world.pipeline.isIdle, soon)
}

/** What one copy holds. While copies are on their way, no tree can be read. */
function copyAt(world: World, path: string): string | undefined {
  const file = join(world.copies('nas'), path)
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

/** Files below the target's folder, each with its content. Only while nothing is on its way. */
function copies(world: World): Record<string, string> {
  const root = world.copies('nas')
  if (!existsSync(root)) return {}
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map(({ parentPath, name }) => join(parentPath, name).slice(root.length + 1))
  return Object.fromEntries(
    paths
      .filter((path) => !path.startsWith('.fanfold'))
      .sort()
      .map((path) => [path, readFileSync(join(root, path), 'utf8')]),
  )
}

/** Where the journal believes the copies to be. */
function receipted(world: World): string[] {
  const journal = new Database(join(world.folder, 'journal.sqlite'), { readonly: true })
  try {
    return journal.prepare<[], string>('SELECT path FROM receipt ORDER BY path').pluck().all()
  } finally {
    journal.close()
  }
}

function aFolderMove(from: string, path: string): FolderMove {
  return { kind: 'move-folder', source: 'inbox', from: sourcePath(from), path: sourcePath(path) }
}

/** Renames a folder of the source and takes that as found. Answers whether it may be taken as one move. */
async function renamed(world: World, from: string, path: string): Promise<boolean> {
  renameSync(join(world.folder, 'inbox', from), join(world.folder, 'inbox', path))
  const move = aFolderMove(from, path)
  const isOne = await world.pipeline.mayMoveFolder(move)
  await world.take([move])
  return isOne
}

/** Tells what its target was asked to do. */
function told(verbs: string[]): (target: Target) => Target {
  return (target) => ({
    ...forwarded(target),
    put: (...given) => {
      verbs.push('put')
      return target.put(...given)
    },
    move: (...given) => {
      verbs.push('move')
      return target.move(...given)
    },
    moveFolder: (...given) => {
      verbs.push('moveFolder')
      return target.moveFolder(...given)
    },
  })
}

async function aWorldOf(paths: readonly string[], some: Partial<Parameters<typeof aWorld>[0]> = {}): Promise<World> {
  const world = await aWorld({ targets: ['nas'], ...some })
  for (const path of paths) await world.put(path, path)
  await settled(world)
  return world
}

const album = ['a/1', 'a/2', 'a/b/3', 'a/b/ü', 'z']

test('F32: a folder that was renamed is one move at the target, and what is known of its copies follows', async () => {
  const verbs: string[] = []
  const world = await aWorldOf(album, { wrap: told(verbs) })
  verbs.length = 0

  expect(await renamed(world, 'a', 'c')).toBe(true)
  await settled(world)

  expect(verbs).toEqual(['moveFolder'])
  expect(copies(world)).toEqual({ 'c/1': 'a/1', 'c/2': 'a/2', 'c/b/3': 'a/b/3', 'c/b/ü': 'a/b/ü', z: 'z' })
  expect(receipted(world)).toEqual(['c/1', 'c/2', 'c/b/3', 'c/b/ü', 'z'])
  // The next version goes where its copy is by now, and a new file of the old name makes the folder anew.
  await world.put('c/1', 'new')
  await world.put('a/1', 'another')
  await settled(world)
  expect(copies(world)).toMatchObject({ 'c/1': 'new', 'a/1': 'another' })
})

test('F32: is a few rows in the journal, however many files are in it', async () => {
  let statements = 0
  const onStatement = (_name: string, when: string): void => {
    if (when === 'before') statements++
  }
  const world = await aWorld({ targets: ['nas', 'usb'], onStatement })
  const stat = { size: 1, mtimeNs: 1n, ctimeNs: 1n, inode: 1n }
  for (const { lane } of world.pipeline.seats) lane?.hold('for the test')
  for (let at = 0; at < 20_000; at += 1_000) {
    const some = Array.from({ length: 1_000 }, (_, index) => `a/${Math.floor((at + index) / 100)}/${at + index}`)
    await world.take(some.map((path) => ({ kind: 'put', source: 'inbox', path: sourcePath(path), stat })))
  }
  const before = statements

  await world.take([aFolderMove('a', 'c')])

  expect(statements - before).toBeLessThan(20)
  expect(world.journal.filesBelow('inbox', sourcePath('c'), 30_000)).toHaveLength(20_000)
  expect(world.journal.filesBelow('inbox', sourcePath('a'), 1)).toEqual([])
})

test('F32: renames while the target is away follow in their order once it is there', async () => {
  const world = await aWorldOf(album)
  world.seat('nas').lane?.hold('for the test')
  await renamed(world, 'a', 'c')
  await renamed(world, 'c', 'd')
  // Out of a folder that the target still has to move: file by file.
  mkdirSync(join(world.folder, 'inbox/e'))
  expect(await world.pipeline.mayMoveFolder(aFolderMove('d/b', 'e/b'))).toBe(false)
  await world.move(['d/b/3', 'e/3'])
  await world.put('a/1', 'another')

  world.seat('nas').lane?.resume()
  await settled(world)

  const expected = { 'a/1': 'another', 'd/1': 'a/1', 'd/2': 'a/2', 'd/b/ü': 'a/b/ü', 'e/3': 'a/b/3', z: 'z' }
  expect(copies(world)).toEqual(expected)
  expect(receipted(world)).toEqual(Object.keys(expected))
})

test('F32: where the target cannot move it as one, its files move one by one, and nothing is sent', async () => {
  const verbs: string[] = []
  const world = await aWorldOf(album, { wrap: told(verbs) })
  const inode = statSync(join(world.copies('nas'), 'a/1')).ino
  mkdirSync(join(world.copies('nas'), 'c'))
  writeFileSync(join(world.copies('nas'), 'c/foreign'), 'foreign')
  verbs.length = 0

  await renamed(world, 'a', 'c')
  await settled(world)

  expect([...verbs].sort()).toEqual(['move', 'move', 'move', 'move', 'moveFolder'])
  expect(copies(world)).toMatchObject({ 'c/1': 'a/1', 'c/b/ü': 'a/b/ü', 'c/foreign': 'foreign' })
  expect(existsSync(join(world.copies('nas'), 'a'))).toBe(false)
  expect(statSync(join(world.copies('nas'), 'c/1')).ino).toBe(inode)
  expect(receipted(world)).toEqual(['c/1', 'c/2', 'c/b/3', 'c/b/ü', 'z'])
})

test('F32, F35: a folder that crosses the border of what a target takes, or that a target keeps in several places, moves file by file', async () => {
  const border = { nas: { select: { ...everything, exclude: ['private/'] } } }
  const crossing = await aWorldOf(album, { configs: border })
  expect(await crossing.pipeline.mayMoveFolder(aFolderMove('a', 'private'))).toBe(false)
  expect(await crossing.pipeline.mayMoveFolder(aFolderMove('a', 'public'))).toBe(true)
  const scattered = await aWorldOf(album, { configs: { nas: { at: '{yyyy}/{path}' } } })
  expect(await scattered.pipeline.mayMoveFolder(aFolderMove('a', 'c'))).toBe(false)
  const flat = await aWorldOf(album, { configs: { nas: { at: '{name}' } } })
  expect(await flat.pipeline.mayMoveFolder(aFolderMove('a', 'c'))).toBe(true)
})

test('F32: copies of files that are gone do not follow the last one that is left', async () => {
  const world = await aWorldOf(album)
  await world.remove('a/1', 'a/b/3', 'a/b/ü')
  await settled(world)
  expect(await world.pipeline.mayMoveFolder(aFolderMove('a', 'c'))).toBe(false)
})

test('F32: an upload below it is broken off and goes on where the file is by now; one elsewhere is not disturbed', async () => {
  let begun = 0
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => (release = resolve))
  const isHeld = (at: string): boolean => at === 'a/slow' || at === 'z/slow'
  const wrap = (target: Target): Target => ({
    ...forwarded(target),
    put: async (copy, at, work, signal) => {
      if (isHeld(at)) {
        begun++
        const broken = new Promise<never>((_, reject) =>
          signal.addEventListener('abort', () => reject(new Error('aborted'))),
        )
        await Promise.race([released, broken])
      }
      return target.put(copy, at, work, signal)
    },
  })
  const world = await aWorld({ targets: ['nas'], wrap })
  await world.put('a/1', 'one')
  await world.put('a/slow', 'slow')
  await world.put('z/slow', 'other')
  await vi.waitUntil(() => begun === 2, soon)

  await renamed(world, 'a', 'c')
  await vi.waitUntil(() => copyAt(world, 'c/slow') === 'slow', soon)

  expect(copies(world)).toEqual({ 'c/1': 'one', 'c/slow': 'slow' })
  release()
  await settled(world)
  expect(receipted(world)).toEqual(['c/1', 'c/slow', 'z/slow'])
})

test('F32, F83: ended after the target moved it and before that was recorded, the next life knows', async () => {
  const ended = await aWorldOf(album, {
    wrap: (target) => ({
      ...forwarded(target),
      moveFolder: async (from, to, signal) => {
        await target.moveFolder(from, to, signal)
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))
      },
    }),
    stopGraceMs: 0,
  })
  await renamed(ended, 'a', 'c')
  await vi.waitUntil(() => copyAt(ended, 'c/1') === 'a/1', soon)
  expect(receipted(ended)).toContain('a/1')
  const verbs: string[] = []
  await ended.stop()

  const next = await aWorld({ targets: ['nas'], folder: ended.folder, wrap: told(verbs) })
  await settled(next)

  expect(verbs).toEqual(['moveFolder'])
  expect(receipted(next)).toEqual(['c/1', 'c/2', 'c/b/3', 'c/b/ü', 'z'])
})

test('F32, F70: a target that fails is waited for as ever, and one that only fails at this is asked for each file', async () => {
  let fails: () => TargetError = () => new TargetError({ kind: 'pause-target', state: 'unreachable' }, 'away')
  let asked = 0
  const world = await aWorldOf(album, {
    wrap: (target) => ({
      ...forwarded(target),
      moveFolder: () => {
        asked++
        return Promise.reject(fails())
      },
    }),
  })
  await renamed(world, 'a', 'c')
  await vi.waitUntil(() => asked > 1, soon)
  expect(copies(world)).toHaveProperty('a/1')

  fails = () => new TargetError({ kind: 'park' }, 'not this one')
  await vi.waitUntil(() => copyAt(world, 'c/1') !== undefined, soon)
  await settled(world)
  expect(receipted(world)).toEqual(['c/1', 'c/2', 'c/b/3', 'c/b/ü', 'z'])
})

test('F32, F34: is found by a watched source, and after the program was off; also where its files lie in folders below', async () => {
  const verbs: string[] = []
  const world = await aWorld({ targets: ['nas'], wrap: told(verbs) })
  const at = (path: string): string => join(world.folder, 'inbox', path)
  mkdirSync(at('a/b/c'), { recursive: true })
  for (const path of ['a/b/c/1', 'a/b/c/2', 'a/b/3']) writeFileSync(at(path), path)
  const live = await watched(world, ['inbox'])
  await vi.waitUntil(() => ['a/b/c/1', 'a/b/c/2', 'a/b/3'].every((path) => copyAt(world, path) === path), soon)
  await settled(world)
  verbs.length = 0

  renameSync(at('a'), at('n'))
  await vi.waitUntil(() => copyAt(world, 'n/b/3') === 'a/b/3', soon)
  await vi.waitUntil(() => live.all.every((source) => source.isIdle()), soon)
  await live.sources.stop()
  renameSync(at('n/b'), at('m'))
  writeFileSync(at('m/c/4'), 'new')
  rmSync(at('m/3'))
  const again = await watched(world, ['inbox'])
  await vi.waitUntil(() => copyAt(world, 'm/c/4') === 'new', soon)
  await vi.waitUntil(() => again.all.every((source) => source.isIdle()), soon)
  await settled(world)

  expect(verbs).toEqual(['moveFolder', 'moveFolder', 'put'])
  // What is gone is kept where its folder is.
  expect(copies(world)).toEqual({ 'm/3': 'a/b/3', 'm/c/1': 'a/b/c/1', 'm/c/2': 'a/b/c/2', 'm/c/4': 'new' })
  expect(world.journal.filesBelow('inbox', sourcePath(''), 9)).toEqual(['m/c/1', 'm/c/2', 'm/c/4'])
})

test('F32: what somebody took away at the target is sent anew, under its new name', async () => {
  const verbs: string[] = []
  const world = await aWorldOf(album, { wrap: told(verbs) })
  rmSync(join(world.copies('nas'), 'a'), { recursive: true })
  verbs.length = 0

  await renamed(world, 'a', 'c')
  await settled(world)

  expect([...verbs].sort()).toEqual(['moveFolder', 'put', 'put', 'put', 'put'])
  expect(copies(world)).toEqual({ 'c/1': 'a/1', 'c/2': 'a/2', 'c/b/3': 'a/b/3', 'c/b/ü': 'a/b/ü', z: 'z' })
})

test.each(['{path}', '{name}'])(
  'F32: what failed since its file was where it was is tried again at once, where copies lie as in %s',
  async (at) => {
    const world = await aWorld({ targets: ['nas'], configs: { nas: { at } } })
    await world.put('a/1', 'one')
    await settled(world)
    const { targetId, lane } = world.seat('nas')
    lane?.hold('for the test')
    await world.put('a/2', 'two')
    renameSync(join(world.folder, 'inbox/a'), join(world.folder, 'inbox/c'))
    lane?.resume()
    await vi.waitUntil(() => world.journal.counts(targetId).postponed === 1, soon)
    // As after some more tries.
    const journal = new Database(join(world.folder, 'journal.sqlite'))
    journal.prepare('UPDATE delivery SET due_ms = due_ms + 3600000').run()
    journal.close()

    await world.take([aFolderMove('a', 'c')])

    const copy = at === '{path}' ? 'c/2' : '2'
    await vi.waitUntil(() => copyAt(world, copy) === 'two', soon)
  },
)
