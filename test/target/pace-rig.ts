/** A pace with a store in memory, and a target at the other side of it that notes when it is asked. */
import { onTestFinished } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { openPace, type Pace, type PaceRecord, type PaceSettings, type PaceStore } from '../../src/target/pace.ts'
import type { ManualClock } from '../manual-clock.ts'

export const free: PaceSettings = {
  requests: undefined,
  uploads: undefined,
  bytesPerSecond: undefined,
  dailyBytes: undefined,
  monthlyRequests: undefined,
  hours: undefined,
}

export const never = new AbortController().signal

export class MemoryStore implements PaceStore {
  record: PaceRecord | undefined
  saveCount = 0

  load(): PaceRecord | undefined {
    return this.record
  }

  save(record: PaceRecord): Promise<void> {
    this.record = record
    this.saveCount++
    return Promise.resolve()
  }
}

export function aPace(
  settings: Partial<PaceSettings>,
  { clock, store = new MemoryStore(), random = () => 0 }: { clock: Clock; store?: PaceStore; random?: () => number },
): Pace {
  const onFailure = (error: Error): never => {
    throw error
  }
  const parts = { name: 'nas', clock, random, log: silentLog, store, onFailure }
  const pace = openPace({ ...free, ...settings }, parts)
  onTestFinished(() => pace.close())
  return pace
}

/** Lets everything happen that waits for nothing but its turn. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Moves a manual clock on in steps, letting things happen between them. */
export async function pass(clock: ManualClock, ms: number, stepMs = 10): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
    await breathe()
    clock.advance(Math.min(stepMs, ms - passedMs))
  }
  await breathe()
}

/** Whether and how a promise has ended so far. */
export function watched<T>(promise: Promise<T>): { state: 'waiting' | 'done' | Error } {
  const seen: { state: 'waiting' | 'done' | Error } = { state: 'waiting' }
  promise.then(
    () => (seen.state = 'done'),
    (thrown: unknown) => (seen.state = thrown instanceof Error ? thrown : new Error(String(thrown))),
  )
  return seen
}
