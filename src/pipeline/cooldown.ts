/** How long a copy rests before the next version of its file follows it (F27). Knows one delivery at a time; keeps no state. */
import type { Clock } from '../base/clock.ts'
import type { RemotePath } from '../base/path.ts'
import { showDuration } from '../base/units.ts'
import type { Delivery, Journal, Outcome } from '../journal/journal.ts'

export interface CooldownParts {
  readonly journal: Journal
  /** Of the target. 0: there is none. */
  readonly cooldownMs: number
  readonly clock: Clock
}

/**
 * When this version may be sent, where its copy was renewed too short a time ago; undefined where it may go now. What has to move goes at once, and
 * what was begun goes on. A newer version takes this one's place meanwhile, and waits no longer than this one would have.
 */
export function deferral(
  delivery: Delivery,
  at: RemotePath,
  { journal, cooldownMs, clock }: CooldownParts,
): Extract<Outcome, { kind: 'deferred' }> | undefined {
  const { targetId, fileId, receipt, session, seq } = delivery
  if (cooldownMs === 0 || receipt?.path !== at || receipt.seq === seq || session !== undefined) return undefined
  const receiptedAtMs = journal.holdings.receiptedAtMs(targetId, fileId)
  if (receiptedAtMs === undefined) return undefined
  // Never longer than the whole of it: the wall clock may have gone back since (F45).
  const delayMs = Math.min(cooldownMs, receiptedAtMs + cooldownMs - clock.wallMs())
  if (delayMs <= 0) return undefined
  const reason = `the copy there is younger than the cooldown of ${showDuration(cooldownMs)}; the newest version follows then`
  return { kind: 'deferred', delayMs, reason }
}
