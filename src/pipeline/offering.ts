/**
 * Offers a target what lies behind its cursor, step by step, so that everything else goes on meanwhile. Where many copies are to be looked
 * for and a listing proves them, the target is listed first, and only what that does not prove is looked at. Owns no cursor: the journal does.
 */
import type { Clock } from '../base/clock.ts'
import type { Facts, Journal, Offer, Proves, Takes } from '../journal/journal.ts'
import { pathRules, type Selector } from './selector.ts'
import { provenBy } from './survey.ts'
import type { SurveyedTarget } from './surveyed-target.ts'

/** Files offered again in one transaction: less than 10 ms of the main loop. */
const offerMax = 250
/** From so many on a listing costs fewer calls than a look at each. */
const listedFilesMin = 200

export interface OfferingParts {
  readonly journal: Journal
  readonly clock: Clock
  readonly name: string
  readonly selector: () => Selector
  readonly target: Pick<SurveyedTarget, 'traits' | 'survey' | 'listedAt' | 'listed'>
  /** Whether the target can be asked now. */
  readonly isReached: () => boolean
  /** Something is owed that was not before. */
  readonly onOwed: () => void
}

export class Offering {
  readonly #parts: OfferingParts
  #isRunning = false
  #again = false

  constructor(parts: OfferingParts) {
    this.#parts = parts
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  /** Entries listed so far; null where nothing is being listed. */
  get listed(): number | null {
    return this.#parts.target.listed
  }

  /** Offers until the cursor is at the head. Where it runs already, that run also offers what was set back meanwhile. */
  async run(signal: AbortSignal): Promise<void> {
    this.#again = true
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      while (this.#again && !signal.aborted) {
        this.#again = false
        await this.#offerAll(signal)
      }
    } finally {
      this.#isRunning = false
    }
  }

  async #offerAll(signal: AbortSignal): Promise<void> {
    const { journal, name, target, isReached } = this.#parts
    if (!(await this.#isWorthListing(signal))) return this.#offerBy(undefined, signal)
    // It is offered when the target can be asked: looks would have to wait for that as well.
    if (!isReached()) return
    // Whoever asked until now is served by this listing.
    this.#again = false
    const isListed = await target.survey(signal)
    // What was asked for meanwhile wants a listing of its own time.
    if (this.#isWantedAgain()) return
    // Who trusts no receipt has the content compared, one attempt for each file; the listing tells them the hashes.
    const isTrusting = journal.target(name).offer.look !== 'hash'
    await this.#offerBy(isListed && isTrusting ? provenBy((path) => target.listedAt(path)) : undefined, signal)
  }

  /** Asked anew after each wait: whoever sets it does so meanwhile. */
  #isWantedAgain(): boolean {
    return this.#again
  }

  /** Where content may change behind a revision, only the content proves. */
  async #isWorthListing(signal: AbortSignal): Promise<boolean> {
    const { journal, clock, name, target } = this.#parts
    const { offer, cursor, offerLeft } = journal.target(name)
    if (cursor >= journal.head || offer.look === 'trust' || offerLeft < listedFilesMin) return false
    if (offer.look === 'hash' && !target.traits.revisionIsContent) return false
    const takes = this.#takes()
    let count = 0
    for (let page = journal.filesAfter(cursor, offerMax); page.length > 0 && count < listedFilesMin;) {
      count += page.filter((facts) => takes(facts) === 'take').length
      page = journal.filesAfter(page.at(-1)?.seq ?? journal.head, offerMax)
      await clock.sleep(0, signal)
    }
    return count >= listedFilesMin
  }

  async #offerBy(proves: Proves | undefined, signal: AbortSignal): Promise<void> {
    const { journal, clock, name, onOwed } = this.#parts
    for (let seen = 0; journal.target(name).cursor < journal.head;) {
      const { cursor } = journal.target(name)
      // It was set back meanwhile, by somebody who wants everything looked at as it is by then.
      if (cursor < seen && proves !== undefined) return void (this.#again = true)
      seen = cursor
      const { owed } = await journal.patiently(() => journal.offer(name, offerMax, this.#takes(), proves), signal)
      if (owed > 0) onOwed()
      await clock.sleep(0, signal)
    }
  }

  #takes(): Takes {
    return offerVerdict(this.#parts.journal.target(this.#parts.name).offer, this.#parts.selector())
  }
}

function offerVerdict({ source, glob }: Offer, selector: Selector): Takes {
  const isGlob = glob === null ? undefined : pathRules([glob])
  return (facts: Facts) => {
    if (source !== null && source !== facts.source) return 'pass'
    if (isGlob !== undefined && isGlob(facts.path) === undefined) return 'pass'
    return selector(facts).takes ? 'take' : 'leave'
  }
}
