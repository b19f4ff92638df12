/**
 * A target around a target that remembers what was listed there, so that a copy that lies there already is known by its hash without a call. An
 * entry is good until something of ours is done at its path, and no longer than copies are found one after the other. It proves, it never
 * condemns: where it does not tell, the target is asked as ever. Says nothing of receipts, which are the journal's.
 */
import type { Readable } from 'node:stream'
import type { Clock, Timer } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { RemotePath } from '../base/path.ts'
import type { Journal, Listed, Listing } from '../journal/journal.ts'
import type {
  FolderMoved,
  Identity,
  LocalCopy,
  PutWork,
  Receipt,
  RemoteEntry,
  Space,
  Target,
  Traits,
} from '../target/target.ts'
import { survey } from './survey.ts'

/** A listing that fails is begun anew after these; then each copy is looked at by itself. Unit: ms. */
const listAgainMs = [2_000, 10_000, 30_000]
/** A place that holds copies of which nothing is known is listed before anything is sent, but for no longer: others' files may be many. Unit: ms. */
const firstSurveyMsMax = 600_000
/** Nobody asked for so long: what is looked for next wants a look of its own time. Unit: ms. */
const unaskedMsMax = 600_000

export interface SurveyedParts {
  readonly journal: Pick<Journal, 'holdings'>
  readonly name: string
  readonly clock: Clock
  readonly log: Log
}

export class SurveyedTarget implements Target {
  readonly #target: Target
  readonly #parts: SurveyedParts
  #listing: Listing | undefined
  #unasked: Timer | undefined
  #askedMs = 0
  #listed: number | null = null
  #isQuiet = false

  constructor(target: Target, parts: SurveyedParts) {
    this.#target = target
    this.#parts = parts
  }

  get traits(): Traits {
    return this.#target.traits
  }

  /** Entries listed so far; null where nothing is being listed. */
  get listed(): number | null {
    return this.#listed
  }

  /** In a place that was never opened, and after a kill while its copies were being found, the first thing is to see what is there (F87). */
  async open(expected: string | undefined, signal: AbortSignal): Promise<Identity> {
    const identity = await this.#target.open(expected, signal)
    const { name, clock, journal } = this.#parts
    // An outage after everything was found is no reason to see it all again.
    if (this.#isQuiet) journal.holdings.expectFinds(name, false)
    const isUnknown = expected === undefined || journal.holdings.expectsFinds(name)
    if (!isUnknown || !this.traits.revisionIsContent || this.#listing !== undefined) return identity
    await this.survey(signal, clock.monotonicMs() + firstSurveyMsMax)
    const isFilled = this.#count() > 0
    if (!isFilled) this.#forget()
    journal.holdings.expectFinds(name, isFilled)
    return identity
  }

  /** Lists all that is there. @returns false where the target does not let itself be listed. */
  async survey(signal: AbortSignal, untilMs = Infinity): Promise<boolean> {
    const { journal, clock, log, name } = this.#parts
    for (const waitMs of [...listAgainMs, undefined]) {
      const listing = journal.holdings.newListing()
      try {
        for await (const count of survey(this.#target, listing, signal)) {
          this.#listed = count
          if (clock.monotonicMs() > untilMs) break
        }
        this.#keep(listing)
        return true
      } catch (thrown) {
        listing.close()
        if (signal.aborted) throw thrown
        log.warn('listing failed', { target: name, reason: asError(thrown).message })
      } finally {
        this.#listed = null
      }
      if (waitMs !== undefined) await clock.sleep(waitMs, signal)
    }
    return false
  }

  /** As it was listed, where nothing of ours was done there since. */
  listedAt(path: string): Listed | undefined {
    this.#asked()
    return this.#listing?.at(path)
  }

  /** What lies at a path, if it is exactly this copy: as it was listed, else where `mayLook` by a look at it. */
  async found(
    copy: LocalCopy,
    at: RemotePath,
    { previous, mayLook }: { readonly previous: Receipt | undefined; readonly mayLook: boolean },
    signal: AbortSignal,
  ): Promise<Receipt | undefined> {
    this.#isQuiet = false
    const entry = this.#take(at) ?? (mayLook ? await this.#target.look(at, { hash: false }, signal) : undefined)
    return entry && this.recognise(entry, copy, previous, signal)
  }

  put(copy: LocalCopy, at: RemotePath, work: PutWork, signal: AbortSignal): Promise<Receipt> {
    this.#isQuiet = false
    this.#take(at)
    return this.#target.put(copy, at, work, signal)
  }

  move(receipt: Receipt, to: RemotePath, signal: AbortSignal): Promise<Receipt> {
    for (const path of [receipt.path, to]) this.#take(path)
    return this.#target.move(receipt, to, signal)
  }

  /** What was listed below either place is nothing to go by any more. */
  async moveFolder(from: RemotePath, to: RemotePath, signal: AbortSignal): Promise<FolderMoved> {
    this.#forget()
    return this.#target.moveFolder(from, to, signal)
  }

  remove(receipt: Receipt, how: 'trash' | 'purge', signal: AbortSignal): Promise<void> {
    this.#take(receipt.path)
    return this.#target.remove(receipt, how, signal)
  }

  look(at: RemotePath, want: Parameters<Target['look']>[1], signal: AbortSignal): Promise<RemoteEntry | undefined> {
    return this.#target.look(at, want, signal)
  }

  recognise(
    entry: RemoteEntry,
    copy: LocalCopy,
    previous: Receipt | undefined,
    signal: AbortSignal,
  ): Promise<Receipt | undefined> {
    return this.#target.recognise(entry, copy, previous, signal)
  }

  list(under: RemotePath, want: { readonly hash: boolean }, signal: AbortSignal): AsyncIterable<RemoteEntry> {
    return this.#target.list(under, want, signal)
  }

  get(entry: RemoteEntry, range: { readonly start: number }, signal: AbortSignal): Promise<Readable> {
    return this.#target.get(entry, range, signal)
  }

  about(signal: AbortSignal): Promise<Space> {
    return this.#target.about(signal)
  }

  rest(): Promise<void> {
    this.#isQuiet = true
    return this.#target.rest()
  }

  /** Whoever ends with nothing owed has found what was to be found; in the middle of it the next life sees again what is there. */
  async close(): Promise<void> {
    const { journal, name } = this.#parts
    this.#forget()
    await this.#target.close()
    if (this.#isQuiet) journal.holdings.expectFinds(name, false)
  }

  #take(path: RemotePath): Listed | undefined {
    this.#asked()
    return this.#listing?.take(path)
  }

  #asked(): void {
    this.#askedMs = this.#parts.clock.monotonicMs()
  }

  #count(): number {
    return this.#listing?.count ?? 0
  }

  #keep(listing: Listing): void {
    this.#forget()
    this.#listing = listing
    this.#asked()
    this.#forgetWhenUnasked()
  }

  #forgetWhenUnasked(): void {
    const { clock } = this.#parts
    const leftMs = this.#askedMs + unaskedMsMax - clock.monotonicMs()
    if (leftMs <= 0) return this.#forget()
    this.#unasked = clock.after(leftMs, () => this.#forgetWhenUnasked())
  }

  #forget(): void {
    this.#unasked?.clear()
    this.#listing?.close()
    this.#listing = undefined
  }
}
