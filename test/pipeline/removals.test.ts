import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { aWorld, forwarded, type World } from './rig.ts'

const soon = { timeout: 30_000, interval: 10 }

function held(world: World, target: string, path: string): boolean {
  return existsSync(join(world.copies(target), path))
}

async function settled(world: World, target: string): Promise<void> {
  await vi.waitUntil(() => {
    const { waiting, postponed } = world.journal.counts(world.seat(target).targetId)
    return waiting + postponed === 0
  }, soon)
}

const counts = (world: World, target: string) => world.journal.counts(world.seat(target).targetId)

/** Longer than any test, so that a copy that should stay has a reason to. */
const neverMs = 3_600_000

describe('a file that is removed at its source', () => {
  test('F36: leaves the targets whose configuration says so, each in its way, and stays at the others', async () => {
    const world = await aWorld({
      targets: ['keeps', 'trashes', 'deletes'],
      configs: { trashes: { onRemove: 'trash' }, deletes: { onRemove: 'remove' } },
    })
    await world.put('a/letter.txt', 'dear reader')
    for (const target of ['keeps', 'trashes', 'deletes']) await settled(world, target)

    await world.remove('a/letter.txt')
    await vi.waitUntil(() => !held(world, 'trashes', 'a/letter.txt') && !held(world, 'deletes', 'a/letter.txt'), soon)
    await vi.waitUntil(() => counts(world, 'deletes').delivered === 0, soon)

    const day = new Date().toISOString().slice(0, 10)
    expect(readFileSync(join(world.copies('trashes'), '.fanfold-trash', day, 'a/letter.txt'), 'utf8')).toBe(
      'dear reader',
    )
    expect(existsSync(join(world.copies('deletes'), '.fanfold-trash'))).toBe(false)
    expect(held(world, 'keeps', 'a/letter.txt')).toBe(true)
    await vi.waitUntil(() => counts(world, 'trashes').leaving === 0, soon)
    expect(counts(world, 'trashes')).toMatchObject({ delivered: 0, waiting: 0, parked: 0 })
    expect(counts(world, 'keeps')).toMatchObject({ delivered: 1, leaving: 0 })
  })

  test('F36: comes back within the grace with the same content, and nothing is sent or removed', async () => {
    const world = await aWorld({ targets: ['nas'], configs: { nas: { onRemove: 'trash', removeAfterMs: neverMs } } })
    await world.put('a', 'same')
    await settled(world, 'nas')
    const before = statSync(join(world.copies('nas'), 'a'))
    const sent = world.seat('nas').bytesSent

    await world.remove('a')
    const waiting = counts(world, 'nas')
    await world.put('a', 'same')
    await settled(world, 'nas')

    expect(waiting).toMatchObject({ leaving: 1, delivered: 1, waiting: 0 })
    expect(counts(world, 'nas')).toMatchObject({ leaving: 0, delivered: 1 })
    expect(world.seat('nas').bytesSent).toBe(sent)
    expect(statSync(join(world.copies('nas'), 'a')).ino).toBe(before.ino)
  })

  test('F26: comes back with other content: a new version of the same copy', async () => {
    const world = await aWorld({ targets: ['nas'], configs: { nas: { onRemove: 'remove', removeAfterMs: neverMs } } })
    await world.put('a', 'one')
    await settled(world, 'nas')

    await world.remove('a')
    await world.put('a', 'two')
    await settled(world, 'nas')

    expect(readFileSync(join(world.copies('nas'), 'a'), 'utf8')).toBe('two')
    expect(counts(world, 'nas')).toMatchObject({ leaving: 0, delivered: 1 })
  })

  test('a copy that somebody changed at the target is not deleted, but told', async () => {
    const world = await aWorld({ targets: ['nas'], configs: { nas: { onRemove: 'remove', removeAfterMs: 300 } } })
    await world.put('a', 'ours')
    await settled(world, 'nas')

    writeFileSync(join(world.copies('nas'), 'a'), 'theirs')
    await world.remove('a')
    await vi.waitUntil(() => counts(world, 'nas').parked === 1, soon)

    expect(readFileSync(join(world.copies('nas'), 'a'), 'utf8')).toBe('theirs')
    expect(world.journal.reasonOf(world.seat('nas').targetId, 'parked')).toContain('was changed at the target')
  })

  test('a policy that is changed to keep within the grace keeps', async () => {
    const world = await aWorld({ targets: ['nas'], configs: { nas: { onRemove: 'remove', removeAfterMs: 500 } } })
    await world.put('a', 'a')
    await settled(world, 'nas')

    await world.remove('a')
    await world.pipeline.change({ ...world.seat('nas').config, onRemove: 'keep' })
    await vi.waitUntil(() => counts(world, 'nas').leaving === 0, soon)

    expect(held(world, 'nas', 'a')).toBe(true)
  })

  test('F92: one that was never delivered is owed nothing any more', async () => {
    const world = await aWorld({ targets: ['nas'], configs: { nas: { onRemove: 'trash' } } })
    world.seat('nas').lane?.hold('for the test')
    await world.put('a', 'a')

    await world.remove('a')
    world.seat('nas').lane?.resume()

    await vi.waitUntil(() => counts(world, 'nas').waiting + counts(world, 'nas').leaving === 0, soon)
    expect(held(world, 'nas', 'a')).toBe(false)
    expect(counts(world, 'nas')).toMatchObject({ delivered: 0, parked: 0, postponed: 0 })
  })
})

describe('F37: very many removals at once', () => {
  test('take no copy away before the owner says that they are meant', async () => {
    const world = await aWorld({ targets: ['nas'], configs: { nas: { onRemove: 'trash', removeAfterMs: 200 } } })
    const names = Array.from({ length: 120 }, (_, index) => `file-${index}`)
    for (const name of names) await world.put(name, name)
    await settled(world, 'nas')

    await world.remove(...names.slice(0, 60))
    await vi.waitUntil(() => counts(world, 'nas').parked === 60, soon)
    await world.put('still-works', 'yes')
    await vi.waitUntil(() => held(world, 'nas', 'still-works'), soon)

    expect(names.every((name) => held(world, 'nas', name))).toBe(true)
    expect(world.journal.brakeOf('inbox')).toMatch(/60 files of source inbox were removed .* "fanfold approve inbox"/)

    expect(world.pipeline.approve('inbox')).toBe(60)
    await vi.waitUntil(() => counts(world, 'nas').delivered === 61, soon)
    expect(names.filter((name) => held(world, 'nas', name))).toEqual(names.slice(60))
    expect(world.journal.brakeOf('inbox')).toBeNull()
  })

  test('fifty, or a tenth of the files, are no accident', async () => {
    const world = await aWorld({ targets: ['nas'], configs: { nas: { onRemove: 'remove' } } })
    const names = Array.from({ length: 50 }, (_, index) => `file-${index}`)
    for (const name of names) await world.put(name, name)
    await settled(world, 'nas')

    await world.remove(...names)

    await vi.waitUntil(() => counts(world, 'nas').delivered === 0, soon)
    expect(names.some((name) => held(world, 'nas', name))).toBe(false)
  })
})

describe('F38: a file that is removed during its upload', () => {
  const bytes = 24 * 2 ** 20

  /** Everything at a target but the note that says whose it is. */
  const lying = (world: World, target: string): string[] =>
    readdirSync(world.copies(target), { recursive: true, encoding: 'utf8' }).filter(
      (name) => statSync(join(world.copies(target), name)).isFile() && !name.endsWith('.fanfold-owner'),
    )

  test.each(['remove', 'keep'] as const)(
    'is given up before its end, and nothing of it stays, with on-remove: %s',
    async (onRemove) => {
      const told: number[] = []
      const world = await aWorld({
        targets: ['nas'],
        configs: { nas: { onRemove } },
        wrap: (target) => ({
          ...forwarded(target),
          put: (copy, at, work, signal) => {
            let steps = 0
            const allow = (): Promise<void> => (++steps === 2 ? world.remove('big') : Promise.resolve())
            return target.put(copy, at, { ...work, allow, progress: (done) => told.push(done) }, signal)
          },
        }),
      })

      await world.put('big', Buffer.alloc(bytes, 'x'))
      await vi.waitUntil(() => told.length > 0 && !existsSync(join(world.folder, 'inbox/big')), soon)
      await settled(world, 'nas')
      await vi.waitUntil(() => counts(world, 'nas').leaving === 0, soon)

      expect(Math.max(...told)).toBeLessThan(bytes)
      expect(lying(world, 'nas')).toEqual([])
      expect(counts(world, 'nas')).toMatchObject({ waiting: 0, postponed: 0, parked: 0, delivered: 0 })
    },
  )

  test.each([
    ['remove', []],
    ['keep', ['big']],
  ] as const)(
    'that had its name there already is a copy like any other, with on-remove: %s',
    async (onRemove, left) => {
      let isGone = false
      const world = await aWorld({
        targets: ['nas'],
        configs: { nas: { onRemove } },
        wrap: (target) => ({
          ...forwarded(target),
          put: async (copy, at, work, signal) => {
            const receipt = await target.put(copy, at, work, signal)
            await world.remove('big')
            isGone = true
            return receipt
          },
        }),
      })

      await world.put('big', Buffer.alloc(bytes, 'x'))
      await vi.waitUntil(() => isGone, soon)
      await settled(world, 'nas')
      await vi.waitUntil(() => counts(world, 'nas').leaving === 0, soon)
      await vi.waitUntil(() => counts(world, 'nas').delivered === left.length, soon)

      expect(lying(world, 'nas')).toEqual(left)
    },
  )
})
