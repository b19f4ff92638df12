/** Files that moved where no inode tells: the copies of what went are moved to what came. */
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { sourcePath } from '../../src/base/path.ts'
import type { Change } from '../../src/journal/journal.ts'
import { aWorld, type World } from './rig.ts'

const soon = { timeout: 30_000, interval: 10 }
const content = Buffer.alloc(100_000, 'what is worth a move ')

function target(world: World, name = 'nas') {
  const { targetId } = world.seat(name)
  const at = (path: string): string => join(world.copies(name), path)
  return {
    read: (path: string) => (existsSync(at(path)) ? readFileSync(at(path)) : undefined),
    inode: (path: string) => statSync(at(path)).ino,
    mtimeNs: (path: string) => statSync(at(path), { bigint: true }).mtimeNs,
    write: (path: string, what: string) => {
      mkdirSync(dirname(at(path)), { recursive: true })
      writeFileSync(at(path), what)
    },
    files: () =>
      readdirSync(world.copies(name), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !entry.name.startsWith('.fanfold'))
        .map((entry) => join(entry.parentPath, entry.name).slice(world.copies(name).length + 1))
        .sort(),
    sent: () => world.seat(name).bytesSent,
    counts: () => world.journal.counts(targetId),
    isAtRest: () => {
      const { waiting, postponed } = world.journal.counts(targetId)
      return waiting + postponed + world.journal.activeCount(targetId) === 0
    },
  }
}

async function settled(world: World, ...names: string[]): Promise<void> {
  await vi.waitUntil(() => (names.length === 0 ? ['nas'] : names).every((name) => target(world, name).isAtRest()), soon)
}

/** A change as a scan would tell it, of a path as `source/path`. */
function seen(world: World, place: string): Change {
  const [source = '', ...rest] = place.split('/')
  const path = sourcePath(rest.join('/'))
  const stat = statSync(join(world.folder, place), { bigint: true, throwIfNoEntry: false })
  if (stat === undefined) return { kind: 'remove', source, path }
  const { size, mtimeNs, ctimeNs, ino: inode } = stat
  return { kind: 'put', source, path, stat: { size: Number(size), mtimeNs, ctimeNs, inode } }
}

/** As a tool does that knows of no rename: a new file, with its own times. */
function copyAndRemove(world: World, from: string, to: string): void {
  mkdirSync(dirname(join(world.folder, to)), { recursive: true })
  copyFileSync(join(world.folder, from), join(world.folder, to))
  rmSync(join(world.folder, from))
}

async function aWorldWithCopy(options: Partial<Parameters<typeof aWorld>[0]> = {}): Promise<World> {
  const world = await aWorld({ targets: ['nas'], ...options })
  world.journal.declareSource('outbox')
  await world.put('old/x', content)
  await settled(world)
  return world
}

/** What the journal believes of each copy is so. */
function expectTrueReceipts(world: World, name = 'nas'): void {
  const { targetId } = world.seat(name)
  const records = world.journal.receipts().after(targetId, 0, 99)
  for (const { receipt } of records) {
    const copy = target(world, name).read(receipt.path)
    expect(copy && createHash('sha256').update(copy).digest('hex'), receipt.path).toBe(receipt.sha256)
  }
  expect(target(world, name).counts().delivered).toBe(records.length)
}

test('F30: a file that was copied elsewhere and removed, in its source or from one to another, is moved at the target', async () => {
  const world = await aWorldWithCopy({ configs: { nas: { at: '{source}/{path}' } } })
  const nas = target(world)
  const [inode, sent] = [nas.inode('inbox/old/x'), nas.sent()]

  copyAndRemove(world, 'inbox/old/x', 'inbox/new/y')
  await world.take([seen(world, 'inbox/new/y'), seen(world, 'inbox/old/x')])
  await settled(world)
  expect(nas.files()).toEqual(['inbox/new/y'])
  copyAndRemove(world, 'inbox/new/y', 'outbox/z')
  await world.take([seen(world, 'inbox/new/y')])
  await world.take([seen(world, 'outbox/z')])
  await settled(world)

  expect(nas.files()).toEqual(['outbox/z'])
  expect(nas.read('outbox/z')).toEqual(content)
  expect(nas.inode('outbox/z')).toBe(inode)
  expect(nas.mtimeNs('outbox/z')).toBe(statSync(join(world.folder, 'outbox/z'), { bigint: true }).mtimeNs)
  expect(nas.sent()).toBe(sent)
  expectTrueReceipts(world)
})

test('F30: renamed to another source, which sees it before the first one misses it, is moved at the target', async () => {
  const asked: string[] = []
  const onStale = (source: string, path: string): void => {
    asked.push(`${source}/${path}`)
    // Its source looks there, and finds it gone.
    world.take([seen(world, `${source}/${path}`)]).then(
      () => world.journal.retry(world.seat('nas').targetId),
      () => {},
    )
  }
  const world = await aWorldWithCopy({ configs: { nas: { onRemove: 'trash', removeAfterMs: 60_000 } }, onStale })
  const sent = target(world).sent()
  mkdirSync(join(world.folder, 'outbox'))

  renameSync(join(world.folder, 'inbox/old/x'), join(world.folder, 'outbox/x'))
  await world.take([seen(world, 'outbox/x')])
  await vi.waitUntil(() => asked.length > 0, soon)
  await vi.waitUntil(() => world.journal.recordOf('inbox', sourcePath('old/x'))?.isPresent === false, soon)
  world.seat('nas').lane?.nudge()
  await settled(world)

  expect(asked).toEqual(['inbox/old/x'])
  expect(target(world).files()).toEqual(['x'])
  expect(target(world).counts()).toMatchObject({ leaving: 0, delivered: 1 })
  expect(target(world).sent()).toBe(sent)
  expectTrueReceipts(world)
})

test('a second file of the same content is sent, and the first one keeps its copy', async () => {
  const world = await aWorldWithCopy()

  await world.put('new/y', content)
  await settled(world)

  expect(target(world).files()).toEqual(['new/y', 'old/x'])
  expectTrueReceipts(world)
})

test('F10: a source that is not there at all is no reason to wait for what became of its files', async () => {
  const asked: string[] = []
  const world = await aWorldWithCopy({ onStale: (source, path) => asked.push(`${source}/${path}`) })
  mkdirSync(join(world.folder, 'outbox'))

  renameSync(join(world.folder, 'inbox'), join(world.folder, 'elsewhere'))
  renameSync(join(world.folder, 'elsewhere/old/x'), join(world.folder, 'outbox/x'))
  await world.take([seen(world, 'outbox/x')])
  await settled(world)

  expect(target(world).files()).toEqual(['old/x', 'x'])
  expect(asked).toEqual([])
})

test('a resync at the same time costs looks and no bytes', async () => {
  const world = await aWorldWithCopy()
  const { lane, name } = world.seat('nas')
  const sent = target(world).sent()

  copyAndRemove(world, 'inbox/old/x', 'inbox/new/y')
  const taken = world.take([seen(world, 'inbox/old/x'), seen(world, 'inbox/new/y')])
  world.journal.offerAgain(name, { source: null, glob: null, look: 'hash' })
  lane?.offer()
  await taken
  world.journal.offerAgain(name, { source: null, glob: null, look: 'hash' })
  lane?.offer()
  await vi.waitUntil(() => lane?.offering.isRunning === false, soon)
  await settled(world)

  expect(target(world).files()).toEqual(['new/y'])
  expect(target(world).sent()).toBe(sent)
  expectTrueReceipts(world)
})

test('F35: each target moves what it has; one that did not take the old place gets the content', async () => {
  const select = { include: [], exclude: [], sizeMin: 0, sizeMax: undefined, newerThanMs: undefined }
  const configs = {
    nas: { select: { ...select, sources: undefined } },
    in: { select: { ...select, sources: ['inbox'] } },
    out: { select: { ...select, sources: ['outbox'] } },
  }
  const world = await aWorldWithCopy({ targets: Object.keys(configs), configs })
  await settled(world, 'in')
  const sent = target(world).sent()

  copyAndRemove(world, 'inbox/old/x', 'outbox/x')
  await world.take([seen(world, 'inbox/old/x'), seen(world, 'outbox/x')])
  await settled(world, ...Object.keys(configs))

  expect(['nas', 'in', 'out'].map((name) => target(world, name).files())).toEqual([['x'], ['old/x'], ['x']])
  expect([target(world).sent(), target(world, 'out').sent()]).toEqual([sent, content.length])
  for (const name of Object.keys(configs)) expectTrueReceipts(world, name)
})

test('where every place is made of the name alone, the copy stays in its place and is the new file’s', async () => {
  const configs = { nas: { at: '{name}', onRemove: 'remove', removeAfterMs: 200 } } as const
  const world = await aWorldWithCopy({ configs })
  const [inode, sent] = [target(world).inode('x'), target(world).sent()]

  copyAndRemove(world, 'inbox/old/x', 'outbox/x')
  await world.take([seen(world, 'inbox/old/x'), seen(world, 'outbox/x')])
  await settled(world)

  expect(target(world).counts()).toMatchObject({ leaving: 0, delivered: 1 })
  expect(target(world).inode('x')).toBe(inode)
  expect(target(world).sent()).toBe(sent)
})

test.each([
  ['overwrite', ['new/y', 'old/x'], content.toString()],
  ['park', ['new/y', 'old/x'], 'somebody’s'],
] as const)(
  'F80: where somebody’s file is in the new place (on-conflict: %s), the copy that is kept stays where it is',
  async (onConflict, files, there) => {
    const world = await aWorldWithCopy({ configs: { nas: { onConflict } } })
    target(world).write('new/y', 'somebody’s')

    copyAndRemove(world, 'inbox/old/x', 'inbox/new/y')
    await world.take([seen(world, 'inbox/old/x'), seen(world, 'inbox/new/y')])
    await settled(world)

    expect(target(world).files()).toEqual(files)
    expect(target(world).read('new/y')?.toString()).toBe(there)
    expect(target(world).read('old/x')).toEqual(content)
    expectTrueReceipts(world)
  },
)

test('what somebody wrote into the copy is not taken along: the file is sent anew', async () => {
  const world = await aWorldWithCopy()
  target(world).write('old/x', 'theirs')

  copyAndRemove(world, 'inbox/old/x', 'inbox/new/y')
  await world.take([seen(world, 'inbox/old/x'), seen(world, 'inbox/new/y')])
  await settled(world)

  expect(target(world).read('old/x')?.toString()).toBe('theirs')
  expect(target(world).read('new/y')).toEqual(content)
  expectTrueReceipts(world)
})

test('F33: two files that change places by copies end as they are at the source', async () => {
  const world = await aWorldWithCopy()
  const other = Buffer.alloc(100_000, 'another one ')
  await world.put('b', other)
  await settled(world)
  const sent = target(world).sent()

  // Through new names, since a path that stays is a new version there.
  copyAndRemove(world, 'inbox/old/x', 'inbox/c')
  copyAndRemove(world, 'inbox/b', 'inbox/old/y')
  await world.take(['old/x', 'b', 'c', 'old/y'].map((path) => seen(world, `inbox/${path}`)))
  await settled(world)

  expect(target(world).files()).toEqual(['c', 'old/y'])
  expect([target(world).read('c'), target(world).read('old/y')]).toEqual([content, other])
  expect(target(world).sent()).toBe(sent)
  expectTrueReceipts(world)
})
