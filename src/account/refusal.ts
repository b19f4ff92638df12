/** What a refusal of tokens means for the owner and for the lane: in words, with the next step. A table; makes no call. */
import { showDuration } from '../base/units.ts'
import type { AccountConfig } from '../config/config.ts'
import { TargetError, type Next } from '../target/target.ts'
import { cloudLogin } from './cloud-login.ts'
import type { Refused } from './token-call.ts'

/** By so much a clock may be wrong without a word: tokens and assertions live longer. Unit: ms (F47). */
export const clockWrongMsMin = 5 * 60_000
const minuteMs = 60_000

/** Microsoft's numbers. Source: "Microsoft Entra authentication and authorization error codes". */
const numbers: ReadonlyMap<number, string> = new Map([
  [70008, 'the login was not used for too long'],
  [700082, 'the login was not used for too long'],
  [700084, 'the login is of a single-page app, which lasts a day; register the app as mobile and desktop'],
  [50173, 'the login was taken back, as after a change of the password'],
  [50076, 'a second factor is asked for'],
  [50079, 'a second factor has to be set up'],
  [65001, 'the consent was taken back'],
  [65005, 'the tenant does not allow the app'],
  [7000215, 'the secret of the app is wrong'],
  [7000222, 'the secret of the app has ended; make another one'],
])

export interface Circumstance {
  /** The cloud's clock less ours. Unit: ms. */
  readonly aheadMs: number | undefined
  /** The last renewal before this start was sent and its answer never kept. */
  readonly wasCutOff: boolean
}

/** The refresh token, key or secret is worth nothing any more: asking again with it is of no use. */
export function isFinal({ word, status }: Refused): boolean {
  return (status === 400 || status === 401 || status === 403) && finalWords.has(word ?? '')
}

const finalWords = new Set([
  'invalid_grant',
  'interaction_required',
  'consent_required',
  'invalid_client',
  'unauthorized_client',
])
const appWords = new Set(['invalid_client', 'unauthorized_client'])

/** Whether the app itself was refused, not its login: a login that is good, with a wrong secret beside it. */
export function isOfApp({ word, number }: Refused): boolean {
  return appWords.has(word ?? '') || number === 7000215 || number === 7000222
}

export function refusalError(config: AccountConfig, refused: Refused, circumstance: Circumstance): TargetError {
  const { status, word, number, retryAfterMs } = refused
  const said = `the cloud gives no token (${status}${word === undefined ? '' : ` ${word}`})`
  const known = number === undefined ? undefined : numbers.get(number)
  if (isOfApp(refused)) {
    const step = config.service?.keyFile === undefined ? 'check client-id and client-secret-file' : 'check the key file'
    return needsLogin(config, `${known ?? said}; ${step}`)
  }
  if (isFinal(refused)) return needsLogin(config, `${known ?? whyFinal(config, circumstance)}; ${loginStep(config)}`)
  if (status === 400 || status === 401) return needsLogin(config, `${said}; check the account in the configuration`)
  const waits = retryAfterMs === undefined ? {} : { againInMs: retryAfterMs }
  return accountError(config, { kind: 'pause-target', state: 'paused', ...waits }, `${said}; it is tried again`)
}

function whyFinal(config: AccountConfig, { aheadMs = 0, wasCutOff }: Circumstance): string {
  if (Math.abs(aheadMs) >= clockWrongMsMin)
    return `the cloud refuses the login, and ${clockWords(aheadMs)}: set the clock`
  if (config.service !== undefined) return 'the cloud refuses the service’s credentials'
  if (!wasCutOff) return 'the login was taken back'
  const { title } = cloudLogin(config)
  return `the program or its connection ended just while ${title} replaced the login, so that the new one is lost`
}

export function clockWords(aheadMs: number): string {
  return `the clock of this machine is ${showDuration(Math.round(Math.abs(aheadMs) / minuteMs) * minuteMs)} ${aheadMs > 0 ? 'behind' : 'ahead'}`
}

export function needsLogin(config: AccountConfig, what: string): TargetError {
  return accountError(config, { kind: 'pause-target', state: 'needs-login' }, what)
}

export function loginStep({ name, service }: AccountConfig): string {
  return service === undefined ? `run "fanfold login ${name}"` : `check "service", then run "fanfold login ${name}"`
}

export function accountError(config: AccountConfig, next: Next, what: string): TargetError {
  return new TargetError(next, `account ${config.name}: ${what}`)
}
