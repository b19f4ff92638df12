import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { Target } from '../../src/target/target.ts'
import { aWorld, forwarded, type World } from './rig.ts'

const soon = { timeout: 30_000, interval: 10 }

const held = (world: World, path: string): string => readFileSync(join(world.copies('nas'), path), 'utf8')
const names = (world: World): string[] => readdirSync(world.copies('nas')).sort()
const counts = (world: World) => world.journal.counts(world.seat('nas').targetId)

async function arrived(world: World, path: string, content: string): Promise<void> {
  await vi.waitFor(() => expect(held(world, path)).toBe(content), soon)
  await vi.waitUntil(() => counts(world).waiting + counts(world).postponed === 0, soon)
}

/** A target that is never heard of again from the first put that holds `word` on. */
function mortal(word: string, when: 'before' | 'after', died: () => void): (target: Target) => Target {
  return (target) => ({
    ...forwarded(target),
    put: async (copy, at, work, signal) => {
      const isLast = copy.bytes !== undefined && Buffer.from(copy.bytes).toString() === word
      if (!isLast || when === 'after') {
        const receipt = await target.put(copy, at, work, signal)
        if (!isLast) return receipt
      }
      died()
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('killed')))
      })
    },
  })
}

const configs = (onConflict: 'keep-both' | 'park') => ({ nas: { onConflict } })

describe('F80: what somebody wrote in the place of a copy', () => {
  test('is put beside once, although all ended between that and the put', async () => {
    let hasDied = false
    const wrap = mortal('two', 'before', () => (hasDied = true))
    const first = await aWorld({ targets: ['nas'], configs: configs('keep-both'), wrap, stopGraceMs: 0 })
    await first.put('a.txt', 'one')
    await arrived(first, 'a.txt', 'one')
    writeFileSync(join(first.copies('nas'), 'a.txt'), 'theirs')

    await first.put('a.txt', 'two')
    await vi.waitUntil(() => hasDied, soon)
    await first.stop()
    const between = names(first)
    const second = await aWorld({ targets: ['nas'], configs: configs('keep-both'), folder: first.folder })
    await arrived(second, 'a.txt', 'two')

    expect(between).toEqual([expect.stringMatching(/^a \(conflict .*\)\.txt$/)])
    expect(names(second)).toEqual([...between, 'a.txt'].sort())
    expect(held(second, between[0] ?? '')).toBe('theirs')
  })

  test('is not what an attempt of ours wrote there of which nobody heard, even if the file changed since', async () => {
    let hasDied = false
    const wrap = mortal('two', 'after', () => (hasDied = true))
    const first = await aWorld({ targets: ['nas'], configs: configs('park'), wrap, stopGraceMs: 0 })
    await first.put('a.txt', 'one')
    await arrived(first, 'a.txt', 'one')

    await first.put('a.txt', 'two')
    await vi.waitUntil(() => hasDied, soon)
    await first.stop()
    const between = held(first, 'a.txt')
    const second = await aWorld({ targets: ['nas'], configs: configs('park'), folder: first.folder })
    await second.put('a.txt', 'three!')
    await arrived(second, 'a.txt', 'three!')

    expect(between).toBe('two')
    expect(names(second)).toEqual(['a.txt'])
    expect(counts(second).parked).toBe(0)
  })

  test('is not what only its time tells from the copy', async () => {
    const world = await aWorld({ targets: ['nas'], configs: configs('park') })
    await world.put('a.txt', 'one')
    await arrived(world, 'a.txt', 'one')
    writeFileSync(join(world.copies('nas'), 'a.txt'), 'one')

    await world.put('a.txt', 'two')
    await arrived(world, 'a.txt', 'two')

    expect(counts(world).parked).toBe(0)
  })

  test('parked, is asked about again when somebody writes there again, and when the file changes, but not when the answer meets a failure', async () => {
    let failures = 0
    const wrap = (target: Target): Target => ({
      ...forwarded(target),
      put: (copy, at, work, signal) =>
        failures-- > 0 ? Promise.reject(new Error('no luck')) : target.put(copy, at, work, signal),
    })
    const world = await aWorld({ targets: ['nas'], configs: configs('park'), wrap })
    const { targetId } = world.seat('nas')
    const place = join(world.copies('nas'), 'a.txt')
    const asked = (): Promise<unknown> => vi.waitUntil(() => counts(world).parked === 1, soon)
    const answer = (): void => {
      world.journal.retry(targetId)
      world.seat('nas').lane?.nudge()
    }
    await world.put('a.txt', 'one')
    await arrived(world, 'a.txt', 'one')

    writeFileSync(place, 'theirs')
    await world.put('a.txt', 'two')
    await asked()
    await world.put('a.txt', 'three')
    await vi.waitFor(
      () => expect(world.journal.history(null, 3).filter(({ event }) => event === 'parked')).toHaveLength(2),
      soon,
    )
    await asked()
    writeFileSync(place, 'theirs, later')
    answer()
    await vi.waitFor(() => expect(world.journal.reasonOf(targetId, 'parked')).toContain('13 bytes'), soon)
    const before = held(world, 'a.txt')
    failures = 1
    answer()
    await arrived(world, 'a.txt', 'three')

    expect(before).toBe('theirs, later')
    expect(names(world)).toEqual(['a.txt'])
    expect(failures).toBe(-1)
  })
})
