import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { sourcePath } from '../../src/base/path.ts'
import { forwarded, aTargetConfig, aWorld, type World } from './rig.ts'

const soon = { timeout: 30_000, interval: 10 }
/** Longer than any test. */
const neverMs = 3_600_000

function copyOf(world: World, path: string): string | undefined {
  const file = join(world.copies('nas'), path)
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

const counts = (world: World) => world.journal.counts(world.seat('nas').targetId)

describe('the cooldown of a target', () => {
  test('F27: a file that is saved again and again is sent once per cooldown, and its last version arrives', async () => {
    const sentAtMs: number[] = []
    const world = await aWorld({
      targets: ['nas'],
      configs: { nas: { cooldownMs: 400 } },
      wrap: (target) => ({
        ...forwarded(target),
        put: (copy, at, work, signal) => {
          if (at === 'note.md') sentAtMs.push(performance.now())
          return target.put(copy, at, work, signal)
        },
      }),
    })
    const versions = 60

    for (let n = 1; n <= versions; n++) {
      await world.put('note.md', `version ${n}`)
      await world.put(`other-${n}`, 'each of them new')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await vi.waitUntil(() => copyOf(world, 'note.md') === `version ${versions}`, soon)

    const gapsMs = sentAtMs.slice(1).map((atMs, n) => atMs - (sentAtMs[n] ?? 0))
    expect(sentAtMs.length).toBeGreaterThan(2)
    // A put begins some time before its receipt, from which the next one counts.
    expect(Math.min(...gapsMs)).toBeGreaterThan(380)
    await vi.waitUntil(() => counts(world).delivered === versions + 1, soon)
  })

  test('F27: what waits for it says so, is in no doubt, and is sent at once when a reload takes the cooldown away', async () => {
    const looks: string[] = []
    const world = await aWorld({
      targets: ['nas'],
      configs: { nas: { cooldownMs: neverMs } },
      wrap: (target) => ({
        ...forwarded(target),
        look: (at, want, signal) => {
          looks.push(at)
          return target.look(at, want, signal)
        },
      }),
    })
    await world.put('note.md', 'one')
    await vi.waitUntil(() => counts(world).delivered === 1, soon)
    looks.length = 0

    await world.put('note.md', 'two')
    await vi.waitUntil(() => counts(world).postponed === 1, soon)
    await world.put('note.md', 'three')
    await vi.waitUntil(() => counts(world).postponed === 1, soon)
    const [open] = world.journal.openOf(world.journal.recordOf('inbox', sourcePath('note.md'))?.fileId ?? 0)
    const before = copyOf(world, 'note.md')
    await world.pipeline.change(aTargetConfig(world.folder, 'nas'))
    await vi.waitUntil(() => copyOf(world, 'note.md') === 'three', soon)

    expect(before).toBe('one')
    expect(open).toMatchObject({ state: 'postponed', attempts: 0 })
    expect(open?.reason).toBe('the copy there is younger than the cooldown of 1h; the newest version follows then')
    expect(looks).toEqual([])
  })

  test('F27: a move and a removal do not wait for it', async () => {
    const world = await aWorld({
      targets: ['nas'],
      configs: { nas: { cooldownMs: neverMs, onRemove: 'remove', removeAfterMs: 0 } },
    })
    await world.put('draft.md', 'text')
    await world.put('gone.md', 'text')
    await vi.waitUntil(() => counts(world).delivered === 2, soon)

    await world.move(['draft.md', 'letter.md'])
    await world.put('gone.md', 'held back')
    await vi.waitUntil(() => counts(world).postponed === 1, soon)
    await world.remove('gone.md')
    await vi.waitUntil(() => copyOf(world, 'gone.md') === undefined, soon)

    await vi.waitUntil(() => copyOf(world, 'letter.md') === 'text', soon)
    expect(copyOf(world, 'draft.md')).toBeUndefined()
  })
})
