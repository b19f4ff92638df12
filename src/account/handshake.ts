/**
 * Handshakes to log in: begun, answered by a person in a browser, finished with tokens or not. What is secret of one (PKCE's verifier, the
 * device's code) stays here; its holder has a ticket. Keeps handshakes in memory only: whoever restarts begins anew.
 *
 * - `begun`: an address was given out. It ends by its answer, by its time, or by a later handshake for the same account.
 * - `answered`: its code is being exchanged, once. Whatever comes of it, the handshake is over; only an answer that belongs to another
 *   handshake (a wrong state) leaves it as it was.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Clock } from '../base/clock.ts'
import { assert, OwnerError } from '../base/errors.ts'
import { randomName } from '../base/random.ts'
import { TargetError } from '../target/target.ts'
import type { Account } from './login.ts'
import { cloudLogin, placedUrl, scopesOf } from './cloud-login.ts'
import { refusedOf, type Form, type Granted, type TokenAnswer } from './token-call.ts'

/** How the answer comes back: to an address of this machine, by hand, by asking again and again, or not at all. */
export type Manner = 'browser' | 'paste' | 'device' | 'service'

export interface LoginAsk {
  readonly manner: Manner
  /** Where the browser is sent; undefined where the page shows a code. */
  readonly redirectUri: string | undefined
  /** Another user than before is meant. */
  readonly acceptsOther: boolean
}

export interface Begun {
  readonly ticket: string
  /** To be opened in a browser. */
  readonly address: string | undefined
  /** To be typed there. */
  readonly userCode: string | undefined
  /** The answer may be asked for from then on. */
  readonly againInMs: number | undefined
  readonly endsInMs: number
  /** Why it asks for more than usual. */
  readonly reason: string | undefined
}

export type Progress =
  | { readonly kind: 'done'; readonly account: string; readonly user: string | undefined }
  | { readonly kind: 'pending'; readonly againInMs: number }
  /** The answer is not this handshake's; its own may still come. */
  | { readonly kind: 'stray'; readonly reason: string }

interface Handshake {
  readonly account: Account
  readonly ask: LoginAsk
  readonly endsAtMs: number
  readonly state: string
  readonly verifier: string
  /** Of a device: what it asks with, how often, and what its owner types. */
  readonly device: Device | undefined
}

interface Device {
  readonly code: string
  readonly userCode: string
  readonly address: string | undefined
  pollMs: number
}

/** People read consent pages for a while; codes themselves live for seconds. Unit: ms. */
const handshakeMs = 15 * 60_000
/** Asked too often, a cloud wants so much more time between two questions (RFC 8628). Unit: ms. */
const slowDownMs = 5_000
/** RFC 7636 asks for 256 bits. Unit: bytes. */
const verifierBytes = 32
const stateBytes = 16

const deviceShape = z.object({
  device_code: z.string().min(1),
  user_code: z.string().min(1),
  verification_uri: z.string().optional(),
  /** As Google spells it. */
  verification_url: z.string().optional(),
  expires_in: z.number().min(1).default(900),
  interval: z.number().min(0).default(5),
})

export class Handshakes {
  readonly #clock: Clock
  readonly #open = new Map<string, Handshake>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @throws OwnerError where the cloud has no such way, TargetError where it cannot be reached. */
  async begin(account: Account, ask: LoginAsk, signal: AbortSignal): Promise<Begun> {
    const { config } = account
    if (config.service !== undefined && ask.manner !== 'service')
      throw new OwnerError(`account ${config.name} is a service: it logs in by itself, without ${words[ask.manner]}`)
    const handshake = ask.manner === 'device' ? await this.#device(account, ask, signal) : this.#plain(account, ask)
    for (const [ticket, other] of this.#open) {
      if (other.account.config.name === config.name || other.endsAtMs < this.#clock.monotonicMs())
        this.#open.delete(ticket)
    }
    const ticket = randomName(stateBytes)
    this.#open.set(ticket, handshake)
    return {
      ticket,
      address: addressOf(handshake),
      userCode: handshake.device?.userCode,
      againInMs: handshake.device?.pollMs,
      endsInMs: Math.floor(handshake.endsAtMs - this.#clock.monotonicMs()),
      reason: scopesOf(config).reason,
    }
  }

  /**
   * Goes on with a handshake. @param text the address the browser was sent to, or a code; '' for a device and a service
   * @throws OwnerError, TargetError: the handshake is over
   */
  async finish(ticket: string, text: string, signal: AbortSignal): Promise<Progress> {
    const handshake = this.#open.get(ticket)
    if (handshake === undefined || handshake.endsAtMs < this.#clock.monotonicMs())
      throw new OwnerError('this attempt to log in is over: it took too long, or another one was begun; begin anew')
    if (handshake.ask.manner === 'device') return this.#poll(ticket, handshake, signal)
    if (handshake.ask.manner === 'service') return this.#serve(ticket, handshake, signal)
    const answer = answerIn(text, handshake)
    if (answer.kind === 'stray') return answer
    // A code is good once: whatever comes of it, this handshake is over.
    this.#open.delete(ticket)
    if (answer.kind === 'denied') throw denied(handshake.account, answer.word)
    return this.#exchange(handshake, answer.code, signal)
  }

  #plain(account: Account, ask: LoginAsk): Handshake {
    const endsAtMs = this.#clock.monotonicMs() + handshakeMs
    return {
      account,
      ask,
      endsAtMs,
      state: randomName(stateBytes),
      verifier: randomName(verifierBytes),
      device: undefined,
    }
  }

  /** Source: RFC 8628; Google and Microsoft have it. */
  async #device(account: Account, ask: LoginAsk, signal: AbortSignal): Promise<Handshake> {
    const { deviceUrl, title } = cloudLogin(account.config)
    if (deviceUrl === undefined) throw new OwnerError(`${title} gives no codes to devices; use --paste`)
    const answer = await account.asker.post(deviceUrl, { scope: scopesOf(account.config).scopes.join(' ') }, signal)
    const given = answer.content.kind === 'json' ? deviceShape.safeParse(answer.content.value).data : undefined
    if (given === undefined) throw account.asker.refusal(refusedOf(answer))
    return {
      ...this.#plain(account, ask),
      endsAtMs: this.#clock.monotonicMs() + given.expires_in * 1000,
      device: {
        code: given.device_code,
        userCode: given.user_code,
        address: given.verification_uri ?? given.verification_url,
        pollMs: given.interval * 1000,
      },
    }
  }

  async #poll(ticket: string, handshake: Handshake, signal: AbortSignal): Promise<Progress> {
    const { account, device } = handshake
    assert(device !== undefined, 'a handshake of a device has no code')
    const form = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: device.code }
    const result = await account.asker.tokens(form, signal).catch((thrown: unknown) => {
      // Its owner is typing meanwhile: a network that comes and goes is no end.
      if (thrown instanceof TargetError && !signal.aborted) return undefined
      throw thrown
    })
    if (result === undefined || isTrouble(result)) return { kind: 'pending', againInMs: device.pollMs }
    if (result.kind === 'granted') {
      this.#open.delete(ticket)
      return admitted(handshake, result.granted, signal)
    }
    const { word } = result.refused
    if (word === 'slow_down') device.pollMs += slowDownMs
    if (word === 'authorization_pending' || word === 'slow_down') return { kind: 'pending', againInMs: device.pollMs }
    this.#open.delete(ticket)
    if (word === 'access_denied' || word === 'authorization_declined') throw denied(account, word)
    if (word === 'expired_token' || word === 'code_expired' || word === 'bad_verification_code')
      throw new OwnerError(`account ${account.config.name}: the code was not typed in time; begin anew`)
    throw account.asker.refusal(result.refused)
  }

  async #serve(ticket: string, { account }: Handshake, signal: AbortSignal): Promise<Progress> {
    this.#open.delete(ticket)
    await account.renew(signal)
    return { kind: 'done', account: account.config.name, user: (await account.user(signal))?.name }
  }

  async #exchange(handshake: Handshake, code: string, signal: AbortSignal): Promise<Progress> {
    const { account, verifier, ask } = handshake
    const form: Form = {
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      ...(ask.redirectUri === undefined ? {} : { redirect_uri: ask.redirectUri }),
    }
    const result = await account.asker.tokens(form, signal)
    if (result.kind === 'granted') return admitted(handshake, result.granted, signal)
    if (result.refused.word !== 'invalid_grant') throw account.asker.refusal(result.refused)
    const why = 'the code was used before, is too old or belongs to another attempt'
    throw new OwnerError(`account ${account.config.name}: ${why}; run "fanfold login ${account.config.name}" again`)
  }
}

/** The cloud did not judge. */
function isTrouble(result: TokenAnswer['result']): boolean {
  return result.kind === 'refused' && result.refused.word === undefined && result.refused.status >= 429
}

const words: Readonly<Record<Manner, string>> = {
  browser: 'a browser',
  paste: '--paste',
  device: '--device',
  service: 'a person',
}

function addressOf({ account, ask, state, verifier, device }: Handshake): string | undefined {
  const { config } = account
  if (device !== undefined) return device.address
  if (ask.manner === 'service') return undefined
  const login = cloudLogin(config)
  const url = placedUrl(login.consentUrl, config.endpoint)
  const asked: Form = {
    response_type: 'code',
    client_id: config.clientId,
    ...(ask.redirectUri === undefined ? {} : { redirect_uri: ask.redirectUri }),
    scope: scopesOf(config).scopes.join(' '),
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...login.consentExtras,
  }
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value)
  return url.href
}

async function admitted({ account, ask }: Handshake, granted: Granted, signal: AbortSignal): Promise<Progress> {
  const user = await account.admit(granted, ask, signal)
  return { kind: 'done', account: account.config.name, user: user?.name }
}

function denied({ config }: Account, word: string): OwnerError {
  return new OwnerError(`account ${config.name}: the login was not allowed (${word}); nothing was changed`)
}

type BrowserAnswer =
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'denied'; readonly word: string }
  | { readonly kind: 'stray'; readonly reason: string }

/** What a browser brought, or a person copied: an address with an answer in it, or where a page shows one, the bare code. */
function answerIn(text: string, { state, ask }: Handshake): BrowserAnswer {
  const trimmed = text.trim()
  if (!/^https?:\/\//.test(trimmed) || !URL.canParse(trimmed)) {
    const isCode = ask.manner === 'paste' && /^[\w.~/-]{4,2048}$/.test(trimmed)
    if (isCode && ask.redirectUri === undefined) return { kind: 'code', code: trimmed }
    return { kind: 'stray', reason: 'expected the whole address that the browser was sent to' }
  }
  const { searchParams } = new URL(trimmed)
  if (searchParams.get('state') !== state)
    return { kind: 'stray', reason: 'this answer is not of this attempt to log in (its state is another)' }
  const code = searchParams.get('code')
  if (code !== null && code !== '') return { kind: 'code', code }
  const word = searchParams.get('error') ?? ''
  return /^[\w. -]{1,64}$/.test(word)
    ? { kind: 'denied', word }
    : { kind: 'stray', reason: 'the address has neither a code nor an error in it' }
}
