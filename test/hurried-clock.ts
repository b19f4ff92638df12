/** A clock on which minutes pass in a moment: for deadlines of minutes against servers that are real. */
import { systemClock, type Clock } from '../src/base/clock.ts'

/** @param times so much faster; the wall clock shows what it shows. */
export function hurriedClock(times: number): Clock {
  return {
    wallMs: () => systemClock.wallMs(),
    monotonicMs: () => systemClock.monotonicMs() * times,
    after: (delayMs, work) => systemClock.after(delayMs / times, work),
    sleep: (delayMs, signal) => systemClock.sleep(delayMs / times, signal),
  }
}
