/** Tidies a target up once nothing is owed to it: before that, what lies about may be the begun upload that the next attempt goes on with. */
import { orAbort } from '../base/abort.ts'
import { asError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Journal } from '../journal/journal.ts'
import type { Target } from '../target/target.ts'

export interface TidyingParts {
  readonly journal: Journal
  readonly log: Log
  readonly name: string
  readonly targetId: number
  readonly target: Target
}

/**
 * Tidies up behind the last delivery. What cannot be put away now is put away when the target is opened next; a target that hangs
 * over it is waited for no longer than attempts are.
 */
export async function restWhenQuiet(parts: TidyingParts, signal: AbortSignal): Promise<void> {
  const { journal, targetId, target, name, log } = parts
  if (journal.activeCount(targetId) > 0) return
  const { waiting, postponed } = journal.counts(targetId)
  if (waiting + postponed > 0) return
  try {
    await orAbort(target.rest(), signal)
  } catch (thrown) {
    log.warn('target left untidy', { target: name, reason: asError(thrown).message })
  }
}
