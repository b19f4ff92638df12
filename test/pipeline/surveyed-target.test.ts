import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { everything } from '../../src/journal/journal.ts'
import { recognised } from '../../src/target/recognition.ts'
import type { RemoteEntry, Target } from '../../src/target/target.ts'
import { aWorld, forwarded, type World } from './rig.ts'

/** A folder that behaves like a cloud: listings tell a hash, and a revision is said to be of one content. */
function cloudlike(root: string, asked: string[]): (target: Target) => Target {
  const told = <E extends RemoteEntry>(entry: E): E => {
    const contentHash = createHash('md5')
      .update(readFileSync(join(root, entry.path)))
      .digest('hex')
    return { ...entry, contentHash }
  }
  return (target) => {
    const inner = forwarded(target)
    return {
      ...inner,
      get traits() {
        return { ...target.traits, revisionIsContent: true }
      },
      put: (copy, at, work, signal) => {
        asked.push(`put ${at}`)
        return inner.put(copy, at, work, signal)
      },
      look: async (at, want, signal) => {
        asked.push(`look ${at}`)
        const entry = await inner.look(at, want, signal)
        return entry && told(entry)
      },
      list: async function* (under, want, signal) {
        asked.push('list')
        for await (const entry of inner.list(under, want, signal)) yield told(entry)
      },
      recognise: (entry, copy, _previous, signal) => {
        const hash = createHash('md5')
        const by = { what: 'test', isOfTime: true, hash, text: (of: typeof hash) => of.copy().digest('hex') }
        return recognised(entry, copy, by, signal)
      },
    }
  }
}

async function settled(world: World, count: number): Promise<void> {
  await vi.waitFor(
    () =>
      expect(world.journal.counts(world.seat('nas').targetId)).toMatchObject({
        delivered: count,
        waiting: 0,
        postponed: 0,
      }),
    30_000,
  )
}

test('F87: what lies in a place that was never opened is known by its listing, and asked for once only', async () => {
  const first = await aWorld({ targets: ['nas'] })
  for (const name of ['a', 'b']) await first.put(name, `content of ${name}`)
  await settled(first, 2)
  await first.stop()

  const asked: string[] = []
  const file = join(first.folder, 'again.sqlite')
  const again = await aWorld({
    targets: ['nas'],
    folder: first.folder,
    file,
    wrap: cloudlike(first.copies('nas'), asked),
  })
  for (const name of ['a', 'b']) await again.put(name, `content of ${name}`)
  await settled(again, 2)
  const found = [...asked]
  asked.length = 0
  await again.put('a', 'a newer one')
  await settled(again, 2)
  await again.remove('a')
  await again.put('a', 'content of a')
  await settled(again, 2)

  await again.stop()
  const afterwards: string[] = []
  const wrap = cloudlike(first.copies('nas'), afterwards)
  const last = await aWorld({ targets: ['nas'], folder: first.folder, file, wrap })
  await last.put('c', 'content of c')
  await settled(last, 3)

  expect(found).toEqual(['list'])
  expect(afterwards, 'all was found').toEqual(['put c'])
  expect(asked, 'a listing is over where something of ours was done').toEqual(['put a', 'put a'])
  expect(readFileSync(join(again.copies('nas'), 'a'), 'utf8')).toBe('content of a')
})

test("F80: what is known again by a listing is nobody else's, so that it is neither read nor put beside", async () => {
  const first = await aWorld({ targets: ['nas'] })
  await first.put('a', 'content of a')
  await settled(first, 1)
  await first.stop()

  const asked: string[] = []
  const again = await aWorld({
    targets: ['nas'],
    configs: { nas: { onConflict: 'keep-both' } },
    folder: first.folder,
    file: join(first.folder, 'again.sqlite'),
    wrap: cloudlike(first.copies('nas'), asked),
  })
  await again.put('a', 'content of a')
  await settled(again, 1)

  expect(asked).toEqual(['list'])
})

test('a resync that trusts no receipt compares the hash that the target tells with the file, and sends what differs', async () => {
  const asked: string[] = []
  const folder = (await aWorld({ targets: [] })).folder
  const copies = join(folder, 'copies', 'nas')
  const world = await aWorld({
    targets: ['nas'],
    folder,
    file: join(folder, 'b.sqlite'),
    wrap: cloudlike(copies, asked),
  })
  for (const name of ['a', 'b']) await world.put(name, `content of ${name}`)
  await settled(world, 2)
  const rotten = join(copies, 'b')
  writeFileSync(rotten, 'CONTENT OF b')
  asked.length = 0

  world.journal.offerAgain('nas', { ...everything, look: 'hash' })
  world.seat('nas').lane?.offer()
  await vi.waitFor(() => expect(readFileSync(rotten, 'utf8')).toBe('content of b'), 30_000)
  await settled(world, 2)

  expect(asked.sort()).toEqual(['look a', 'look b', 'put b'])
})

test('a resync of many files that is asked for twice at once lists the target once, and looks at nothing', async () => {
  const asked: string[] = []
  const folder = (await aWorld({ targets: [] })).folder
  const wrap = cloudlike(join(folder, 'copies', 'nas'), asked)
  const world = await aWorld({ targets: ['nas'], folder, file: join(folder, 'b.sqlite'), wrap })
  const files = 210
  for (let n = 0; n < files; n++) await world.put(`f${n}`, `content of ${n}`)
  await settled(world, files)
  asked.length = 0

  world.journal.offerAgain('nas', { ...everything, look: 'hash' })
  world.seat('nas').lane?.nudge()
  world.seat('nas').lane?.offer()
  await vi.waitFor(() => expect(asked).toContain('list'), 30_000)
  await vi.waitFor(() => expect(world.seat('nas').isIdle).toBe(true), 30_000)
  await settled(world, files)

  expect(asked).toEqual(['list'])
})
