/** Fetches one file's content from whichever target gives it, and goes on at another where one fails in the middle. Where it is put is not its concern. */
import type { Readable } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { CopyAt, Wanted } from './wanted.ts'

/** Where bytes go: what of them is there, and all of them proven. */
export interface Sink {
  readonly bytes: number
  startOver(): Promise<void>
  write(piece: Uint8Array): Promise<void>
  digest(): string
}

export interface FetchParts {
  /** Content of a copy from byte `start` on. */
  readonly read: (copy: CopyAt, start: number, signal: AbortSignal) => Promise<Readable>
  readonly clock: Clock
  /** What each target did last, over all files. */
  readonly trust: Trust
  readonly onBytes: (bytes: number) => void
}

/** Times all targets are asked for one file. */
const roundsMax = 3
/** Before the second round; four times that before the third. Unit: ms. */
const roundDelayMs = 1000

/** Who failed so often in a row is asked last, and only once for each file. */
const failuresUntilLast = 3

/** How often each target failed in a row. */
export class Trust {
  readonly #failures = new Map<string, number>()

  succeeded(target: string): void {
    this.#failures.delete(target)
  }

  failed(target: string): void {
    this.#failures.set(target, (this.#failures.get(target) ?? 0) + 1)
  }

  isTrusted(target: string): boolean {
    return (this.#failures.get(target) ?? 0) < failuresUntilLast
  }

  /** Those that failed of late come last. */
  inOrder(copies: readonly CopyAt[]): readonly CopyAt[] {
    return [
      ...copies.filter(({ target }) => this.isTrusted(target)),
      ...copies.filter(({ target }) => !this.isTrusted(target)),
    ]
  }
}

export type Fetched =
  { readonly kind: 'whole'; readonly target: string } | { readonly kind: 'failed'; readonly reason: string }

/** @throws the signal's reason, and what the sink throws. */
export async function fetched(wanted: Wanted, sink: Sink, parts: FetchParts, signal: AbortSignal): Promise<Fetched> {
  const { trust, clock } = parts
  const wrong = new Set<CopyAt>()
  const reasons = new Map<string, string>()
  for (let round = 0; round < roundsMax; round++) {
    const copies = trust.inOrder(wanted.copies).filter((copy) => !wrong.has(copy))
    const worthAsking = round === 0 ? copies : copies.filter(({ target }) => trust.isTrusted(target))
    if (worthAsking.length === 0) break
    if (round > 0) await clock.sleep(roundDelayMs * 4 ** (round - 1), signal)
    for (const copy of worthAsking) {
      const outcome = await fetchedFrom(copy, wanted, sink, parts, signal)
      if (outcome === 'whole') return { kind: 'whole', target: copy.target }
      if (outcome.isWrong) wrong.add(copy)
      reasons.set(copy.target, outcome.reason)
    }
  }
  const words = [...reasons].map(([target, reason]) => `${target}: ${reason}`)
  return { kind: 'failed', reason: words.length === 0 ? 'no target has a copy of it' : words.join('; ') }
}

interface Failed {
  readonly reason: string
  /** The copy is not what it has to be: asking again gives the same. */
  readonly isWrong: boolean
}

async function fetchedFrom(
  copy: CopyAt,
  wanted: Wanted,
  sink: Sink,
  parts: FetchParts,
  signal: AbortSignal,
): Promise<'whole' | Failed> {
  for (;;) {
    if (wanted.sha256 === null && sink.bytes > 0) await sink.startOver()
    const begunAt = sink.bytes
    const failure = await filled(copy, wanted, sink, parts, signal)
    if (failure !== undefined) {
      parts.trust.failed(copy.target)
      return { reason: failure, isWrong: false }
    }
    const wrong = wrongness(sink, wanted)
    if (wrong === undefined) {
      parts.trust.succeeded(copy.target)
      return 'whole'
    }
    await sink.startOver()
    // What was there before may be to blame: only what came whole from one copy says what that copy is.
    if (begunAt === 0) return { reason: wrong, isWrong: true }
  }
}

/** What is wrong with all that came; undefined where nothing is. */
function wrongness(sink: Sink, { size, sha256 }: Wanted): string | undefined {
  if (sink.bytes !== size) return `its copy is another content: expected ${size} bytes, got ${sink.bytes}`
  const got = sink.digest()
  if (sha256 === null || got === sha256) return undefined
  return `its copy is another content: expected the sha256 ${sha256}, got ${got}`
}

/** Writes what is missing. @returns why that ended early; undefined where it did not. */
async function filled(
  copy: CopyAt,
  wanted: Wanted,
  sink: Sink,
  { read, onBytes }: FetchParts,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (sink.bytes === wanted.size && wanted.size > 0) return undefined
  const content = await opened(() => read(copy, sink.bytes, signal), signal)
  if (typeof content === 'string') return content
  const pieces = (content as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await opened(() => pieces.next(), signal)
      if (typeof next === 'string') return next
      if (next.done === true) return undefined
      // More than there has to be is no copy of it; the rest of it need not come.
      if (sink.bytes + next.value.length > wanted.size) {
        await sink.write(next.value)
        return undefined
      }
      await sink.write(next.value)
      onBytes(next.value.length)
    }
  } finally {
    content.destroy()
  }
}

/** What a target does, or in words why it does not. Our own disk's failures go another way. */
async function opened<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T | string> {
  try {
    signal.throwIfAborted()
    return await work()
  } catch (thrown) {
    signal.throwIfAborted()
    return asError(thrown).message
  }
}
