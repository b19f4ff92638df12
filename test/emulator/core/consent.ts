/** The consent page: who is asked for what, which buttons there are, and the code that an answer brings. Tokens are not its concern. */
import { type Auth, ownerName } from './auth.ts'
import type { MovableClock } from './clock.ts'
import type { Exchange } from './exchange.ts'
import type { LoginProfile } from './login-profiles.ts'
import { type Answer, plainText } from './provider.ts'

/** Who may log in: the owner, and somebody whom the browser knows as well. */
const userNames = [ownerName, 'somebody'] as const

/** What rclone's users register. */
const registered = ['http://localhost:53682/']

export class ConsentPage {
  readonly #auth: Auth
  readonly #clock: MovableClock
  readonly #profile: LoginProfile
  readonly #codes = new Map<string, { readonly redirect: string | null; readonly endMs: number }>()
  /** Redirects that the app is registered with. */
  readonly redirects = new Set(registered)

  constructor(auth: Auth, clock: MovableClock, profile: LoginProfile) {
    this.#auth = auth
    this.#clock = clock
    this.#profile = profile
  }

  async answer(exchange: Exchange): Promise<Answer> {
    const asked = exchange.url.searchParams
    const fault = this.#faultOf(asked)
    if (fault !== undefined) return page(400, `<p>${escaped(fault)}</p>`)
    const scopes = (asked.get('scope') ?? '').split(' ').filter((scope) => scope !== '')
    if (exchange.method === 'GET') return page(200, form(scopes))
    const given = new URLSearchParams(await exchange.text())
    const redirect = asked.get('redirect_uri')
    if (given.get('decision') !== 'allow') return back(redirect, { error: 'access_denied', ...stateOf(asked) })
    const allowed = given.has('ticked') ? scopes.filter((scope) => given.getAll('scope').includes(scope)) : scopes
    const challenge = asked.get('code_challenge') ?? undefined
    const code = this.#auth.consent(allowed, challenge, given.get('user') ?? ownerName)
    this.#codes.set(code, { redirect, endMs: this.#clock.nowMs() + this.#profile.codeLifeMs })
    return back(redirect, { code, ...stateOf(asked) })
  }

  /** Whether a code was given for this redirect, and is not too old. */
  isFor(code: string, redirect: string | null): boolean {
    const given = this.#codes.get(code)
    return given !== undefined && given.redirect === redirect && given.endMs > this.#clock.nowMs()
  }

  #faultOf(asked: URLSearchParams): string | undefined {
    if (asked.get('client_id') !== this.#auth.client.clientId) return 'Invalid client_id'
    if (asked.get('response_type') !== 'code') return 'Invalid response_type'
    const redirect = asked.get('redirect_uri')
    if (redirect === null) return this.#profile.showsCode ? undefined : 'redirect_uri is missing'
    return this.#takes(redirect) ? undefined : 'redirect_uri is not registered with this app'
  }

  #takes(redirect: string): boolean {
    if (this.#profile.redirects === 'registered') return this.redirects.has(redirect)
    return /^http:\/\/(localhost|127\.0\.0\.1):\d+\/?$/.test(redirect)
  }
}

function stateOf(asked: URLSearchParams): Readonly<Record<string, string>> {
  const state = asked.get('state')
  return state === null ? {} : { state }
}

function back(redirect: string | null, fields: Readonly<Record<string, string>>): Answer {
  if (redirect === null) {
    const code = fields['code'] ?? ''
    return page(200, code === '' ? '<p>Not allowed.</p>' : `<input id="auth-code" value="${escaped(code)}">`)
  }
  const target = new URL(redirect)
  for (const [name, value] of Object.entries(fields)) target.searchParams.set(name, value)
  return plainText(302, '', { Location: target.href })
}

/** A form to the page's own address, which keeps what was asked for. */
function form(scopes: readonly string[]): string {
  const users = userNames.map((name) => `<option>${name}</option>`).join('')
  const boxes = scopes
    .map(
      (scope) =>
        `<label><input type="checkbox" name="scope" value="${escaped(scope)}" checked>${escaped(scope)}</label>`,
    )
    .join('')
  return (
    `<form method="post"><input type="hidden" name="ticked"><select name="user">${users}</select>${boxes}` +
    '<button id="allow" name="decision" value="allow">Allow</button><button id="deny" name="decision" value="deny">Cancel</button></form>'
  )
}

export function page(status: number, body: string): Answer {
  const text = `<!doctype html><html><title>Consent</title><body>${body}</body></html>`
  return { status, headers: { 'Content-Type': 'text/html; charset=utf-8' }, body: text }
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
