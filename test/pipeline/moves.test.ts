import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { sourcePath } from '../../src/base/path.ts'
import type { Change } from '../../src/journal/journal.ts'
import type { Target } from '../../src/target/target.ts'
import { aWorld, forwarded, type World } from './rig.ts'

const soon = { timeout: 30_000, interval: 10 }

async function settled(world: World, target = 'nas'): Promise<void> {
  await vi.waitUntil(() => {
    const { waiting, postponed, leaving } = world.journal.counts(world.seat(target).targetId)
    return waiting + postponed + leaving === 0
  }, soon)
}

function copy(world: World, path: string): string | undefined {
  const file = join(world.copies('nas'), path)
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

function inodeOf(world: World, path: string): number {
  return statSync(join(world.copies('nas'), path)).ino
}

function bytesSent(world: World): number {
  return world.seat('nas').bytesSent
}

function aMoved(inbox: string, from: string, path: string): Change {
  const { size, mtimeNs, ctimeNs, ino: inode } = statSync(join(inbox, path), { bigint: true })
  const stat = { size: Number(size), mtimeNs, ctimeNs, inode }
  return { kind: 'move', source: 'inbox', from: sourcePath(from), path: sourcePath(path), stat }
}

function allBut(pattern: string) {
  return { sources: undefined, include: [], exclude: [pattern], sizeMin: 0, sizeMax: undefined, newerThanMs: undefined }
}

async function aWorldWith(
  files: Readonly<Record<string, string>>,
  some: Parameters<typeof aWorld>[0]['configs'] = {},
): Promise<World> {
  const world = await aWorld({ targets: ['nas'], configs: some })
  for (const [path, content] of Object.entries(files)) await world.put(path, content)
  await settled(world)
  return world
}

describe('a file that moved', () => {
  test('F30, F34: is moved at the target, and nothing is sent', async () => {
    const world = await aWorldWith({ 'a/x': 'content' })
    const [inode, sent] = [inodeOf(world, 'a/x'), bytesSent(world)]
    mkdirSync(join(world.folder, 'inbox/b'))

    await world.move(['a/x', 'b/y'])
    await settled(world)

    expect(copy(world, 'b/y')).toBe('content')
    expect(existsSync(join(world.copies('nas'), 'a'))).toBe(false)
    expect(inodeOf(world, 'b/y')).toBe(inode)
    expect(bytesSent(world)).toBe(sent)
  })

  test('F33: in a long chain each goes as soon as its place is free, and not when it looks again', async () => {
    const names = Array.from({ length: 81 }, (_, n) => `f${n}`)
    const world = await aWorldWith(Object.fromEntries(names.slice(0, -1).map((name) => [name, `of ${name}`])))
    const sent = bytesSent(world)
    const startMs = performance.now()

    await world.move(...names.slice(0, -1).map((name, n) => [name, names[n + 1] ?? ''] as const))
    await settled(world)

    // One look after the other, each a fifth of a second after the one before, would take 16 s.
    expect(performance.now() - startMs).toBeLessThan(8_000)
    expect(names.slice(1).map((name) => copy(world, name))).toEqual(names.slice(0, -1).map((name) => `of ${name}`))
    expect([existsSync(join(world.copies('nas'), 'f0')), bytesSent(world)]).toEqual([false, sent])
  })

  test('F33: swaps and chains end as they are at the source, and nothing is sent', async () => {
    const world = await aWorldWith({ a: 'A', b: 'B', c: 'C', d: 'D', e: 'E' })
    const sent = bytesSent(world)

    // A circle of three, and a chain into a free name.
    await world.move(['a', 'b'], ['b', 'c'], ['c', 'a'], ['d', 'e'], ['e', 'f'])
    await settled(world)

    expect(['a', 'b', 'c', 'd', 'e', 'f'].map((path) => copy(world, path))).toEqual([
      'C',
      'A',
      'B',
      undefined,
      'D',
      'E',
    ])
    expect(bytesSent(world)).toBe(sent)
  })

  test('F33: a new file takes the name of one that moved, which keeps its copy', async () => {
    const world = await aWorldWith({ a: 'old' })
    const inode = inodeOf(world, 'a')
    world.seat('nas').lane?.hold('for the test')

    await world.move(['a', 'b'])
    await world.put('a', 'new')
    world.seat('nas').lane?.resume()
    await settled(world)

    expect([copy(world, 'a'), copy(world, 'b')]).toEqual(['new', 'old'])
    expect(inodeOf(world, 'b')).toBe(inode)
  })

  test('what somebody put in its place is written over by it, and its old copy goes as the policy says', async () => {
    const world = await aWorldWith({ a: 'ours' }, { nas: { onRemove: 'trash' } })
    writeFileSync(join(world.copies('nas'), 'b'), 'somebody else’s')

    await world.move(['a', 'b'])
    await settled(world)

    expect([copy(world, 'a'), copy(world, 'b')]).toEqual([undefined, 'ours'])
  })

  test('what somebody wrote into its copy is not taken along: it is sent anew', async () => {
    const world = await aWorldWith({ a: 'ours' })
    writeFileSync(join(world.copies('nas'), 'a'), 'theirs')

    await world.move(['a', 'b'])
    await settled(world)

    expect([copy(world, 'a'), copy(world, 'b')]).toEqual(['theirs', 'ours'])
  })

  test('F35: out of what the target takes, it is given up there', async () => {
    const select = allBut('private/**')
    const world = await aWorldWith({ a: 'content' }, { nas: { onRemove: 'remove', select } })
    mkdirSync(join(world.folder, 'inbox/private'))

    await world.move(['a', 'private/a'])
    await settled(world)

    expect([copy(world, 'a'), copy(world, 'private/a')]).toEqual([undefined, undefined])
    expect(world.journal.counts(world.seat('nas').targetId)).toMatchObject({ delivered: 0, parked: 0 })
  })

  test('F35: so it is where the file was taken for removed before it was found elsewhere', async () => {
    const select = allBut('private/**')
    const configs = { nas: { onRemove: 'remove', removeAfterMs: 200, select } } as const
    const world = await aWorldWith({ a: 'content' }, configs)
    const inbox = join(world.folder, 'inbox')
    mkdirSync(join(inbox, 'private'))
    renameSync(join(inbox, 'a'), join(inbox, 'private/a'))

    await world.take([{ kind: 'remove', source: 'inbox', path: sourcePath('a') }, aMoved(inbox, 'a', 'private/a')])
    await settled(world)

    expect(copy(world, 'a')).toBeUndefined()
    expect(world.journal.counts(world.seat('nas').targetId)).toMatchObject({ delivered: 0, parked: 0 })
  })

  test('F37: very many that move out of what a target takes need their owner’s word', async () => {
    const select = allBut('private/**')
    const names = Array.from({ length: 60 }, (_, index) => `f${index}`)
    const world = await aWorldWith(Object.fromEntries(names.map((name) => [name, name])), {
      nas: { onRemove: 'remove', removeAfterMs: 200, select },
    })
    mkdirSync(join(world.folder, 'inbox/private'))

    await world.move(...names.map((name) => [name, `private/${name}`] as const))
    await vi.waitUntil(() => world.journal.counts(world.seat('nas').targetId).parked === 60, soon)

    expect(names.every((name) => copy(world, name) === name)).toBe(true)
    expect(world.journal.brakeOf('inbox')).toContain('fanfold approve inbox')
  })

  test('a copy that made room, and whose file went before it came back, is kept under its own name or beside that', async () => {
    let moves = 2
    const wrap = (target: Target): Target => ({
      ...forwarded(target),
      move: (receipt, to, signal) =>
        moves-- > 0 ? target.move(receipt, to, signal) : Promise.reject(new Error('the service is unwell')),
    })
    const world = await aWorld({ targets: ['nas'], wrap })
    for (const path of ['a', 'b']) await world.put(path, `${path} of before`)
    await settled(world)
    // One makes room, the other one moves on, and the first, which is to be `a` now, cannot come back yet.
    await world.move(['a', 'b'], ['b', 'a'])
    await vi.waitUntil(() => moves < 0, soon)
    // Somebody takes its place, too, and then its file goes.
    writeFileSync(join(world.copies('nas'), 'a'), 'somebody’s')
    moves = Infinity

    await world.remove('a')
    await settled(world)

    expect([copy(world, 'a'), copy(world, 'b')]).toEqual(['somebody’s', 'a of before'])
    const [beside, ...others] = readdirSync(world.copies('nas')).filter((name) => !['a', 'b'].includes(name))
    expect(beside).toMatch(/^a \(kept \d{4}-\d\d-\d\d [0-9a-f]{8}\)$/)
    expect(others).toEqual([])
    expect(copy(world, beside ?? '')).toBe('b of before')
  })

  test('F83: written over by a copy of which nobody heard, a copy that was left is not believed there any more', async () => {
    let lost = 0
    const wrap = (target: Target): Target => ({
      ...forwarded(target),
      async put(copied, at, work, signal) {
        const receipt = await target.put(copied, at, work, signal)
        if (lost-- > 0) throw new Error('the answer was lost')
        return receipt
      },
    })
    const select = allBut('other/**')
    const world = await aWorld({ targets: ['nas'], configs: { nas: { select } }, wrap })
    await world.put('p', 'one')
    await settled(world)
    mkdirSync(join(world.folder, 'inbox/other'))
    // Where nobody takes it: its copy stays at `p`.
    await world.move(['p', 'other/p'])
    await settled(world)
    expect(world.journal.receiptsOf(1).get('nas')?.path).toBe('p')

    lost = 1
    await world.put('p', 'the other one')
    await vi.waitUntil(() => copy(world, 'p') === 'the other one', soon)
    await world.move(['p', 'q'])
    await settled(world)

    expect(copy(world, 'q')).toBe('the other one')
    expect(world.journal.receiptsOf(1).get('nas')).toBeUndefined()
  })

  test('F83: put aside or moved, and the answer lost: the next attempt finds the copy', async () => {
    let failures = 4
    const wrap = (target: Target): Target => ({
      ...forwarded(target),
      async move(receipt, to, signal) {
        const moved = await target.move(receipt, to, signal)
        if (failures-- > 0) throw new Error('the answer was lost')
        return moved
      },
    })
    const world = await aWorld({ targets: ['nas'], wrap })
    for (const [path, content] of [
      ['a', 'A'],
      ['b', 'B'],
    ] as const)
      await world.put(path, content)
    await settled(world)

    await world.move(['a', 'b'], ['b', 'a'])
    await vi.waitUntil(
      () => {
        world.journal.retry(world.seat('nas').targetId, 'all')
        world.seat('nas').lane?.nudge()
        return (
          world.journal.counts(world.seat('nas').targetId).waiting +
            world.journal.counts(world.seat('nas').targetId).postponed ===
          0
        )
      },
      { timeout: 30_000, interval: 50 },
    )

    expect([copy(world, 'a'), copy(world, 'b')]).toEqual(['B', 'A'])
    expect(existsSync(join(world.copies('nas'), 'fanfold-moves-1'))).toBe(false)
  })
})

describe('F83: moved by an attempt whose answer was lost, its copy is found', () => {
  /** The copy of `a` lies at `b`, and nobody knows. */
  async function inDoubt(): Promise<World> {
    let failures = 1
    const wrap = (target: Target): Target => ({
      ...forwarded(target),
      async move(receipt, to, signal) {
        const moved = await target.move(receipt, to, signal)
        if (failures-- > 0) throw new Error('the answer was lost')
        return moved
      },
    })
    const world = await aWorld({ targets: ['nas'], configs: { nas: { onRemove: 'remove' } }, wrap })
    await world.put('a', 'content')
    await settled(world)
    await world.move(['a', 'b'])
    await vi.waitUntil(() => world.journal.counts(world.seat('nas').targetId).postponed === 1, soon)
    expect([copy(world, 'a'), copy(world, 'b')]).toEqual([undefined, 'content'])
    return world
  }

  function copies(world: World): string[] {
    const files = readdirSync(world.copies('nas'), { recursive: true, withFileTypes: true })
    return files.filter((entry) => entry.isFile() && !entry.name.startsWith('.fanfold')).map(({ name }) => name)
  }

  test('where its file moves on', async () => {
    const world = await inDoubt()
    const sent = bytesSent(world)

    await world.move(['b', 'c'])
    await settled(world)

    expect(copies(world)).toEqual(['c'])
    expect(copy(world, 'c')).toBe('content')
    expect(bytesSent(world)).toBe(sent)
  })

  test('where its file moves on with another content', async () => {
    const world = await inDoubt()

    await world.move(['b', 'c'])
    await world.put('c', 'other content')
    await settled(world)

    expect(copies(world)).toEqual(['c'])
    expect(copy(world, 'c')).toBe('other content')
  })

  test('where its file goes', async () => {
    const world = await inDoubt()

    await world.remove('b')
    await settled(world)

    expect(copies(world)).toEqual([])
  })

  test('where its file moves back', async () => {
    const world = await inDoubt()

    await world.move(['b', 'a'])
    await settled(world)

    expect(copies(world)).toEqual(['a'])
  })

  test('where a file of the same content takes its place: that one keeps its own copy', async () => {
    const world = await inDoubt()
    world.seat('nas').lane?.hold('for the test')
    await world.move(['b', 'c'])
    await world.put('b', 'content')
    world.seat('nas').lane?.resume()
    await settled(world)

    expect(copies(world).sort()).toEqual(['b', 'c'])
    for (const path of ['b', 'c']) {
      const { fileId } = world.journal.recordOf('inbox', sourcePath(path)) ?? {}
      expect(world.journal.receiptsOf(fileId ?? 0).get('nas')?.path).toBe(path)
    }
  })
})

test('F39: a file moves into a folder of its own name, and out again', async () => {
  const world = await aWorldWith({ x: 'X' })
  const sent = bytesSent(world)
  const inbox = join(world.folder, 'inbox')

  renameSync(join(inbox, 'x'), join(inbox, 'tmp'))
  mkdirSync(join(inbox, 'x'))
  renameSync(join(inbox, 'tmp'), join(inbox, 'x/x'))
  await world.take([aMoved(inbox, 'x', 'x/x')])
  await vi.waitUntil(() => copy(world, 'x/x') === 'X', soon)
  await settled(world)
  renameSync(join(inbox, 'x/x'), join(inbox, 'tmp'))
  rmdirSync(join(inbox, 'x'))
  renameSync(join(inbox, 'tmp'), join(inbox, 'x'))
  await world.take([aMoved(inbox, 'x/x', 'x')])
  await settled(world)

  expect(statSync(join(world.copies('nas'), 'x')).isFile()).toBe(true)
  expect(bytesSent(world)).toBe(sent)
})

test('F39: a file becomes a folder and the folder a file, by moves', async () => {
  const world = await aWorldWith({ 'x/inside': 'I', y: 'Y' }, { nas: { onRemove: 'remove' } })
  const inbox = join(world.folder, 'inbox')
  renameSync(join(inbox, 'x/inside'), join(inbox, 'tmp'))
  renameSync(join(inbox, 'x'), join(inbox, 'old'))
  renameSync(join(inbox, 'y'), join(inbox, 'x'))
  mkdirSync(join(inbox, 'y'))
  renameSync(join(inbox, 'tmp'), join(inbox, 'y/inside'))

  await world.take([aMoved(inbox, 'x/inside', 'y/inside'), aMoved(inbox, 'y', 'x')])
  await vi.waitUntil(
    () => {
      world.journal.retry(world.seat('nas').targetId, 'all')
      world.seat('nas').lane?.nudge()
      return copy(world, 'y/inside') === 'I' && copy(world, 'x') === 'Y'
    },
    { timeout: 30_000, interval: 50 },
  )
})
