/** The word count of S81 four ways: all at once, as a generator, pushed from stage to stage, and on demand. Only the last keeps its queues short. */
import { expect, test } from 'vitest'
import {
  fromIterable,
  partitionDispatcher,
  partitionOf,
  producerConsumer,
  stream,
  type StageSnapshot,
} from '../../src/stage/stage.ts'
import { nextRound, range } from './watched.ts'

const workers = 4
/** 500 lines of 20 words; word w of line l is number (7l + w) mod 83. */
const lines = range(1, 500).map((line) =>
  range(1, 20)
    .map((word) => `w${(7 * line + word) % 83}`)
    .join(' '),
)
const words = lines.flatMap((line) => line.split(' '))
const maxDemand = 10

function countInto(counts: Map<string, number>, word: string): void {
  counts.set(word, (counts.get(word) ?? 0) + 1)
}

function eager(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const word of lines.flatMap((line) => line.split(' '))) countInto(counts, word)
  return counts
}

function streaming(): Map<string, number> {
  function* split(): Generator<string> {
    for (const line of lines) yield* line.split(' ')
  }
  const counts = new Map<string, number>()
  for (const word of split()) countInto(counts, word)
  return counts
}

/** Each process has a mailbox that anybody may push to, and takes one letter per round: the bottleneck. */
async function pushed(): Promise<{ counts: Map<string, number>; longest: number }> {
  const mailboxes = range(1, workers).map((): string[] => [])
  const counts = new Map<string, number>()
  let longest = 0
  for (const line of lines) for (const word of line.split(' ')) mailboxes[partitionOf(word, workers)]?.push(word)
  while (mailboxes.some(({ length }) => length > 0)) {
    longest = Math.max(longest, ...mailboxes.map(({ length }) => length))
    for (const mailbox of mailboxes) for (const word of mailbox.splice(0, maxDemand)) countInto(counts, word)
    await nextRound()
  }
  return { counts, longest }
}

/** Lines, split by two, counted by four that each take one round per chunk: the same bottleneck. */
async function demanded(): Promise<{ counts: Map<string, number>; longest: number }> {
  const source = fromIterable(lines, { demand: 'accumulate' })
  const splitters = range(1, 2).map(() => {
    const splitter = producerConsumer<string, string>({
      dispatcher: partitionDispatcher<string>({ partitions: workers, queueSize: 200 }),
      handleEvents: (some) => some.flatMap((line) => line.split(' ')),
    })
    splitter.subscribe(source, { maxDemand, cancel: 'drain' })
    return splitter
  })
  const counters = range(0, workers - 1).map((partition) => {
    const counts = new Map<string, number>()
    const counter = producerConsumer<string, readonly [string, number]>({
      async handleEvents(some) {
        await nextRound()
        for (const word of some) countInto(counts, word)
        return []
      },
      handleEnd: () => [...counts],
    })
    for (const splitter of splitters) counter.subscribe(splitter, { partition, maxDemand, cancel: 'drain' })
    return counter
  })
  source.setDemand('forward')
  let longest = 0
  const counts = new Map<string, number>()
  const watching = { isOver: false }
  const watch = (async () => {
    while (!watching.isOver) {
      for (const stage of [source, ...splitters, ...counters]) longest = Math.max(longest, waitingIn(stage.snapshot()))
      await nextRound()
    }
  })()
  for await (const [word, count] of stream(counters)) counts.set(word, (counts.get(word) ?? 0) + count)
  watching.isOver = true
  await watch
  return { counts, longest }
}

/** Everything that waits in a stage, wherever. */
function waitingIn(stage: StageSnapshot): number {
  const incoming =
    stage.role === 'producer' ? 0 : stage.subscriptions.reduce((sum, { waitingCount }) => sum + waitingCount, 0)
  return incoming + (stage.role === 'consumer' ? 0 : stage.bufferedCount + stage.heldCount)
}

test('S81, D4: eager, streaming, pushed and on demand count the same 10,000 words, none lost', async () => {
  const counts = [eager(), streaming(), (await pushed()).counts, (await demanded()).counts]

  const sorted = counts.map((count) => [...count].sort())
  for (const other of sorted.slice(1)) expect(other).toEqual(sorted[0])
  expect(sorted[0]?.reduce((sum, [, count]) => sum + count, 0)).toBe(words.length)
})

test('S81: under push a queue grows to nearly all there is; on demand it stays below what was asked for', async () => {
  const [push, demand] = [await pushed(), await demanded()]

  expect(push.longest).toBeGreaterThan(words.length / workers / 2)
  // What one message of lines makes, and the queue that each partition may hold.
  expect(demand.longest).toBeLessThanOrEqual(maxDemand * 20 + workers * 200)
  expect(demand.longest).toBeLessThan(push.longest / 2)
})
