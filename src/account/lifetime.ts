/** When a login ends by itself, as far as that is known, and when its owner should hear of it. Pure: times in, words out (F78). */
import { showDuration } from '../base/units.ts'
import type { AccountConfig } from '../config/config.ts'
import { cloudLogin } from './cloud-login.ts'
import type { StoredLogin } from './login-file.ts'

const dayMs = 24 * 3_600_000
/** Its owner hears of an end twice: with time to choose a moment, and with none left. Unit: ms. */
export const noticeMs = { early: 7 * dayMs, late: dayMs } as const
/** A login that nobody uses is renewed after this, long before it would end. Unit: ms. */
export const idleMsMax = 7 * dayMs

export interface End {
  readonly atMs: number
  /** `login`: only another login helps; `idle`: it ends unless it is used; `secret`: the app's own. */
  readonly of: 'login' | 'idle' | 'secret'
}

/** The nearest end; undefined where none is known. */
export function endOf(login: StoredLogin | undefined, config: AccountConfig): End | undefined {
  const { loginLastsMs, secretEndsAtMs } = config
  const { idleLifeMs } = cloudLogin(config)
  const madeAtMs = login?.madeAtMs
  const usedAtMs = login?.renewedAtMs ?? madeAtMs
  const hasTokens = login?.refreshToken !== undefined
  const ends: (End | undefined)[] = [
    end('secret', secretEndsAtMs),
    end('login', hasTokens ? login.endsAtMs : undefined),
    end('login', hasTokens ? sum(madeAtMs, loginLastsMs) : undefined),
    end('idle', hasTokens ? sum(usedAtMs, idleLifeMs) : undefined),
  ]
  return ends.reduce((first, next) => (next !== undefined && next.atMs < (first?.atMs ?? Infinity) ? next : first))
}

export type Notice = 'none' | 'early' | 'late'

/** How near the end is. */
export function noticeOf(end: End | undefined, nowMs: number): Notice {
  const leftMs = (end?.atMs ?? Infinity) - nowMs
  return leftMs <= noticeMs.late ? 'late' : leftMs <= noticeMs.early ? 'early' : 'none'
}

/** The notice in words, with what to do. */
export function noticeWords({ atMs, of }: End, config: AccountConfig, nowMs: number): string {
  const leftMs = atMs - nowMs
  const when = leftMs <= 0 ? 'has ended' : `ends in ${showDuration(roughly(leftMs))}`
  if (of === 'secret')
    return `the secret of the app ${when}; make another one at ${cloudLogin(config).title} and put it into its file`
  const why = of === 'idle' ? ', since it could not be renewed' : ''
  return `the login ${when}${why}; run "fanfold login ${config.name}"`
}

/** In steps of an hour, so that the words do not change all the time. */
function roughly(ms: number): number {
  const step = ms > 2 * dayMs ? dayMs : 3_600_000
  return Math.max(step, Math.floor(ms / step) * step)
}

function end(of: End['of'], atMs: number | undefined): End | undefined {
  return atMs === undefined ? undefined : { atMs, of }
}

function sum(atMs: number | undefined, lastsMs: number | undefined): number | undefined {
  return atMs === undefined || lastsMs === undefined ? undefined : atMs + lastsMs
}
