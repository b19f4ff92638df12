/** Whether an account takes copies now: the reasons why not, and for how long. Pure: the time is handed in. */
import { type Hours, isWithin, msUntilWithin, showHours, showLocalMinute } from '../base/local-time.ts'
import { TargetError } from './target.ts'

/** Whether copies may begin, and if not, for how long not. By the wall clock where the reason is one, so ask again now and then. */
export type Verdict = { readonly kind: 'open' } | Closed

export interface Closed {
  readonly kind: 'closed'
  readonly why: 'hours' | 'daily' | 'monthly' | 'penalty'
  /** At least this long. */
  readonly waitMs: number
  /** For people: why, and until when. */
  readonly reason: string
}

/** The account takes nothing for a longer while. No delivery is to blame, none loses an attempt. */
export class PaceClosed extends TargetError {
  readonly closed: Closed
  constructor(closed: Closed) {
    super({ kind: 'pause-target', state: 'paused', againInMs: closed.waitMs }, closed.reason)
    this.closed = closed
  }
}

/** @throws PaceClosed where nothing may begin. */
export function refuseClosed(verdict: Verdict): void {
  if (verdict.kind === 'closed') throw new PaceClosed(verdict)
}

/** With its end in words. */
export function closed({ why, waitMs, reason }: Omit<Closed, 'kind'>, wallMs: number): Closed {
  return { kind: 'closed', why, waitMs, reason: `${reason}, until ${showLocalMinute(wallMs + waitMs)}` }
}

export function outsideHours(hours: Hours | undefined, wallMs: number): Verdict {
  if (hours === undefined || isWithin(hours, wallMs)) return { kind: 'open' }
  const reason = `outside its hours (${showHours(hours)})`
  return closed({ why: 'hours', waitMs: msUntilWithin(hours, wallMs), reason }, wallMs)
}

/** The one that holds longest; open where nothing is closed. */
export function longest(verdicts: readonly Verdict[]): Verdict {
  return verdicts.reduce<Verdict>((found, one) => (waitOf(one) > waitOf(found) ? one : found), { kind: 'open' })
}

function waitOf(verdict: Verdict): number {
  return verdict.kind === 'open' ? 0 : verdict.waitMs
}
