/** Opens a lane's target. Another place behind its name has to be offered everything anew. */
import { asError } from '../base/errors.ts'
import { everything, type Journal } from '../journal/journal.ts'
import type { Target } from '../target/target.ts'
import { troubleOf, type LaneEvent } from './lane-state.ts'

export interface OpeningParts {
  readonly name: string
  readonly target: Target
  readonly journal: Journal
}

/** What came of it. @throws the signal's reason. */
export async function opened(parts: OpeningParts, signal: AbortSignal): Promise<LaneEvent> {
  try {
    await open(parts, signal)
    return { kind: 'opened' }
  } catch (thrown) {
    if (signal.aborted) throw thrown
    return { kind: 'unopened', ...troubleOf(asError(thrown)) }
  }
}

async function open({ name, target, journal }: OpeningParts, signal: AbortSignal): Promise<void> {
  const expected = journal.target(name).mark ?? undefined
  const { mark, isSame } = await target.open(expected, signal)
  // In this order: killed between the two, the next start finds the new place again and offers once more.
  if (!isSame) journal.offerAgain(name, { ...everything, look: 'entry' })
  if (mark !== expected) journal.setMark(name, mark)
}
