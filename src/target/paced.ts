/** A target held to a pace, where it does not keep one by itself. How the pace is kept is not said here. */
import type { Pace } from './pace.ts'
import type { PutWork, ReadableTarget, Target } from './target.ts'
import { refuseClosed } from './verdict.ts'

/**
 * `target` at its pace: each verb is a request, each put an upload, bytes as `allow` is asked for them. While the pace is closed it
 * cannot be opened either, so that a lane that knows nothing of verdicts waits for it as for any target that cannot work.
 */
export function paced(target: Target, pace: Pace): Target {
  return {
    traits: target.traits,
    open: async (expected, signal) => {
      refuseClosed(pace.verdict())
      return target.open(expected, signal)
    },
    put: (copy, at, work, signal) =>
      pace.upload(signal, () => target.put(copy, at, pacedWork(work, pace, target.traits.chunkBytes), signal)),
    move: (receipt, to, signal) => pace.request(signal, () => target.move(receipt, to, signal)),
    moveFolder: (from, to, signal) => pace.request(signal, () => target.moveFolder(from, to, signal)),
    remove: (receipt, how, signal) => pace.request(signal, () => target.remove(receipt, how, signal)),
    look: (at, want, signal) => pace.request(signal, () => target.look(at, want, signal)),
    recognise: (entry, copy, previous, signal) => target.recognise(entry, copy, previous, signal),
    list: (under, want, signal) => target.list(under, want, signal),
    get: (entry, range, signal) => pace.request(signal, () => target.get(entry, range, signal)),
    about: (signal) => pace.request(signal, () => target.about(signal)),
    rest: () => target.rest(),
    close: () => target.close(),
  }
}

/** `target` whose transport keeps the pace by itself, call by call: only what begins, or goes on for long, is asked about here. */
export function gated(target: Target, pace: Pace): Target {
  const freely = { bytes: () => Promise.resolve(), verdict: () => pace.verdict() }
  return {
    traits: target.traits,
    open: async (expected, signal) => {
      refuseClosed(pace.verdict())
      return target.open(expected, signal)
    },
    put: (copy, at, work, signal) => target.put(copy, at, pacedWork(work, freely, target.traits.chunkBytes), signal),
    move: (receipt, to, signal) => target.move(receipt, to, signal),
    moveFolder: (from, to, signal) => target.moveFolder(from, to, signal),
    remove: (receipt, how, signal) => target.remove(receipt, how, signal),
    look: (at, want, signal) => target.look(at, want, signal),
    recognise: (entry, copy, previous, signal) => target.recognise(entry, copy, previous, signal),
    list: (under, want, signal) => target.list(under, want, signal),
    get: (entry, range, signal) => target.get(entry, range, signal),
    about: (signal) => target.about(signal),
    rest: () => target.rest(),
    close: () => target.close(),
  }
}

/** What is opened for reading: hours and a spent day are about copies that begin, so nothing is refused because of them. */
export function pacedReading(target: Target, pace: Pick<Pace, 'request'>): OpenableTarget {
  return {
    traits: target.traits,
    open: (expected, signal) => target.open(expected, signal),
    look: (at, want, signal) => pace.request(signal, () => target.look(at, want, signal)),
    list: (under, want, signal) => target.list(under, want, signal),
    get: (entry, range, signal) => pace.request(signal, () => target.get(entry, range, signal)),
    about: (signal) => pace.request(signal, () => target.about(signal)),
    close: () => target.close(),
  }
}

/** A target for reading that was not opened yet. */
export type OpenableTarget = ReadableTarget & Pick<Target, 'open' | 'close'>

/** A copy under way when the hours end goes on to the end of its piece, whose session it has saved then: nothing is sent twice. */
function pacedWork(work: PutWork, pace: Pick<Pace, 'bytes' | 'verdict'>, pieceBytes: number): PutWork {
  let sentBytes = 0
  return {
    ...work,
    allow: async (bytes, signal) => {
      await work.allow(bytes, signal)
      if (sentBytes >= pieceBytes) {
        refuseClosed(pace.verdict())
        sentBytes = 0
      }
      await pace.bytes(bytes, signal)
      sentBytes += bytes
    },
  }
}
