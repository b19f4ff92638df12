/** Offers a target what lies behind its cursor, step by step, so that everything else goes on meanwhile. Owns no cursor: the journal does. */
import type { Clock } from '../base/clock.ts'
import type { Journal, Offer } from '../journal/journal.ts'
import { pathRules, type Selector } from './selector.ts'

/** Files offered again in one transaction: less than 10 ms of the main loop. */
const offerMax = 250

export interface OfferingParts {
  readonly journal: Journal
  readonly clock: Clock
  readonly target: string
  readonly selector: () => Selector
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
    const { journal, clock, target, selector, onOwed } = this.#parts
    while (journal.target(target).cursor < journal.head) {
      const takes = (): OfferVerdict => offerVerdict(journal.target(target).offer, selector())
      const { owed } = await journal.patiently(() => journal.offer(target, offerMax, takes()), signal)
      if (owed > 0) onOwed()
      await clock.sleep(0, signal)
    }
  }
}

type OfferVerdict = (facts: Parameters<Selector>[0]) => 'take' | 'leave' | 'pass'

function offerVerdict({ source, glob }: Offer, selector: Selector): OfferVerdict {
  const isGlob = glob === null ? undefined : pathRules([glob])
  return (facts) => {
    if (source !== null && source !== facts.source) return 'pass'
    if (isGlob !== undefined && isGlob(facts.path) === undefined) return 'pass'
    return selector(facts).takes ? 'take' : 'leave'
  }
}
