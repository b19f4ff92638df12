/** Slots found by trying, on links that are simulated: what each moves with so many at once, and when it times out. */
import { expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import {
  afterRound,
  afterTrouble,
  bytesPerFile,
  firstSlots,
  type AdaptiveSlots,
} from '../../src/pipeline/adaptive-slots.ts'
import { slotsFirstOf } from '../../src/target/catalogue.ts'
import { aSeed } from '../builders.ts'

const durationMs = 2000

/** What a link does with so many copies at once in one round: bytes moved, or everything times out. */
type Link = (slots: number) => number | 'trouble'

/** Files of 64 KiB behind a latency: more at once move more, until the bandwidth is full. */
const fastLink =
  (latencyMs: number, bytesPerSecond: number): Link =>
  (slots) =>
    Math.min(((slots * bytesPerFile) / latencyMs) * durationMs, (bytesPerSecond * durationMs) / 1000)

/** 1 Mbit/s: the same bytes however many share it, each piece of 1 MiB against a timeout of 30 s. */
const slowLink: Link = (slots) => {
  const bytesPerSecond = 1_000_000 / 8
  return (slots * 2 ** 20) / bytesPerSecond > 30 ? 'trouble' : (bytesPerSecond * durationMs) / 1000
}

function drive(link: Link, rounds: number, most: number, from = firstSlots({ most })): AdaptiveSlots[] {
  const states = [from]
  for (let round = 0; round < rounds; round++) {
    const last = states[round] ?? from
    const moved = link(last.slots)
    const amount = moved === 'trouble' ? 0 : moved
    const troubled = moved === 'trouble' ? afterTrouble(last) : last
    states.push(afterRound(troubled, { amount, durationMs, isFull: true }, { most }))
  }
  return states
}

const slotsOf = (states: readonly AdaptiveSlots[]): number[] => states.map(({ slots }) => slots)

test('F73: it begins with two, or with fewer where no more are allowed', () => {
  expect(firstSlots({ most: 64 }).slots).toBe(2)
  expect(firstSlots({ most: 1 }).slots).toBe(1)
})

test('F73: on a fast link with latency it grows while that moves more, in few rounds', () => {
  const states = drive(fastLink(200, 10_000_000), 40, 64)

  // 10 MB/s are full with 31 copies of 64 KiB in 200 ms each.
  expect(Math.max(...slotsOf(states.slice(12)))).toBeLessThanOrEqual(42)
  expect(Math.min(...slotsOf(states.slice(12)))).toBeGreaterThanOrEqual(28)
})

test('F73: it never goes beyond the configured concurrency', () => {
  const slots = slotsOf(drive(fastLink(200, 1e12), 60, 20))

  expect(Math.max(...slots)).toBe(20)
})

test('F73: on a link of 1 Mbit/s it stays where nothing times out', () => {
  const states = drive(slowLink, 300, 64)

  expect(Math.max(...slotsOf(states))).toBeLessThanOrEqual(3)
  expect(states.some(({ troubleAt }) => troubleAt !== undefined)).toBe(false)
})

test('F73: on a link that became slow it halves until nothing times out, and seldom tries what failed', () => {
  const before = drive(fastLink(200, 10_000_000), 40, 64).at(-1)
  const states = drive(slowLink, 400, 64, before)

  expect(slotsOf(states).findIndex((slots) => slots <= 3)).toBeLessThan(8)
  const troubles = states.filter(({ slots }, at) => at > 8 && slots > 3)
  expect(troubles.length).toBeLessThan(10)
})

test('F73: below a cliff it works just short of it nearly always, and seldom looks whether it is still there', () => {
  const cliff: Link = (slots) => (slots > 8 ? 'trouble' : slots * 1_000_000)

  const states = drive(cliff, 1000, 64)

  const atCliff = states.filter(({ slots }) => slots === 8).length
  const beyond = states.filter(({ slots }) => slots > 8).length
  expect(atCliff).toBeGreaterThan(700)
  expect(beyond).toBeLessThan(20)
})

test('F73: a cliff that is gone is found to be gone', () => {
  const before = drive((slots) => (slots > 8 ? 'trouble' : slots * 1_000_000), 100, 64).at(-1)

  const states = drive((slots) => slots * 1_000_000, 100, 64, before)

  expect(states.at(-1)?.slots).toBeGreaterThan(32)
})

test('F73: a single slot is kept for long where two were trouble', () => {
  const states = drive((slots) => (slots > 1 ? 'trouble' : 1_000_000), 600, 64)

  expect(states.filter(({ slots }) => slots > 1).length).toBeLessThan(15)
})

test('F73: a link that became fast is used again after a while', () => {
  const slow = drive(slowLink, 100, 64).at(-1)
  const states = drive(fastLink(200, 10_000_000), 60, 64, slow)

  expect(states.at(-1)?.slots).toBeGreaterThanOrEqual(28)
})

test('F73: many timeouts of one round halve once', () => {
  const state = { ...firstSlots({ most: 64 }), slots: 16 }

  const troubled = Array.from({ length: 16 }).reduce<AdaptiveSlots>((last) => afterTrouble(last), state)

  expect(troubled.slots).toBe(8)
})

test('F73: it never gives up its last slot', () => {
  const states = drive(() => 'trouble', 100, 64)

  expect(Math.min(...slotsOf(states))).toBe(1)
})

test('a round in which slots were free says nothing of the link', () => {
  const state = firstSlots({ most: 64 })

  expect(afterRound(state, { amount: 1, durationMs, isFull: false }, { most: 64 })).toEqual(state)
})

test('a concurrency that was lowered is kept from the next round on', () => {
  const state = { ...firstSlots({ most: 64 }), slots: 40 }

  expect(afterRound(state, { amount: 1, durationMs, isFull: false }, { most: 8 }).slots).toBe(8)
})

test('F73: measurements that scatter by five in a hundred do not lead it astray', () => {
  const seed = aSeed()
  const random = seededRandom(seed)
  const link = fastLink(200, 10_000_000)
  const noisy: Link = (slots) => {
    const moved = link(slots)
    return moved === 'trouble' ? moved : moved * (0.975 + 0.05 * random())
  }

  const late = slotsOf(drive(noisy, 200, 64)).slice(30)
  const mean = late.reduce((sum, slots) => sum + slots, 0) / late.length

  expect(mean, `seed ${seed}`).toBeGreaterThan(20)
  expect(mean, `seed ${seed}`).toBeLessThan(45)
})

test('a directory has the slots it is given, and a cloud that takes batches begins with enough for one', () => {
  expect(slotsFirstOf('directory')).toBeUndefined()
  expect(slotsFirstOf('box')).toBe(4)
  expect(slotsFirstOf('dropbox')).toBe(8)
})
