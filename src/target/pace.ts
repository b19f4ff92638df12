/** A target's pace: requests and uploads per interval, bytes per second. Totals of all its deliveries; a Target around a Target. */
import PQueue from 'p-queue'
import type { Clock } from '../base/clock.ts'
import type { Rate } from '../base/units.ts'
import type { Pace } from '../config/config.ts'
import type { PutWork, Target } from './target.ts'

/** Timers are early by a hair, servers count exactly: an interval this much longer keeps us below their limit. */
const intervalSlack = 1.02

/** Lets work begin at most `count` times in any interval. */
type Gate = <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T>

const openGate: Gate = (_signal, work) => work()

function gate(rate: Rate | undefined): Gate {
  if (rate === undefined) return openGate
  // strict: a sliding window. The default window lets twice the rate through at its border.
  const queue = new PQueue({
    intervalCap: rate.count,
    interval: Math.ceil(rate.intervalMs * intervalSlack),
    strict: true,
  })
  return (signal, work) => queue.add(work, { signal })
}

/** Waits until so many bytes may go. Waiting is in the order of asking; a byte is paid for after it went, so that the first never waits. */
function byteBucket(bytesPerSecond: number, clock: Clock): (bytes: number, signal: AbortSignal) => Promise<void> {
  let freeAtMs = clock.monotonicMs()
  return async (bytes, signal) => {
    const nowMs = clock.monotonicMs()
    const startMs = Math.max(nowMs, freeAtMs)
    freeAtMs = startMs + (bytes / bytesPerSecond) * 1000
    if (startMs > nowMs) await clock.sleep(startMs - nowMs, signal)
  }
}

/** `target` at its pace. What the pace leaves open costs nothing. */
export function paced(target: Target, pace: Pace, clock: Clock): Target {
  const request = gate(pace.requests)
  const upload = gate(pace.uploads)
  const bucket = pace.bytesPerSecond === undefined ? undefined : byteBucket(pace.bytesPerSecond, clock)
  const slowed = (work: PutWork): PutWork => {
    if (bucket === undefined) return work
    return {
      ...work,
      allow: async (bytes, signal) => {
        await work.allow(bytes, signal)
        await bucket(bytes, signal)
      },
    }
  }
  return {
    traits: target.traits,
    open: (expected, signal) => target.open(expected, signal),
    put: (copy, at, work, signal) =>
      upload(signal, () => request(signal, () => target.put(copy, at, slowed(work), signal))),
    move: (receipt, to, signal) => request(signal, () => target.move(receipt, to, signal)),
    remove: (receipt, how, signal) => request(signal, () => target.remove(receipt, how, signal)),
    look: (at, want, signal) => request(signal, () => target.look(at, want, signal)),
    list: (under, want, signal) => target.list(under, want, signal),
    get: (entry, range, signal) => request(signal, () => target.get(entry, range, signal)),
    about: (signal) => request(signal, () => target.about(signal)),
    rest: () => target.rest(),
    close: () => target.close(),
  }
}
