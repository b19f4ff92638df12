/** How calls fail when there is no answer of the server: each failure of the network as a kind, with what the lane does next. Knows no provider. */
import { asError, errnoOf } from '../../base/errors.ts'
import { type Next, TargetError } from '../target.ts'

/**
 * unreachable  no connection came to be          reset    the connection broke before the answer began
 * tls          the other side cannot be trusted  cut      the answer broke off, or is longer or shorter than it said
 * proxy        the proxy refuses                 stalled  no byte for too long
 * portal       somebody else answered            timeout  all in all too long
 * garbled      what came is no answer            too-large  the answer is beyond its bound
 * aborted      by the caller's signal
 */
export type FailureKind =
  | 'unreachable'
  | 'tls'
  | 'proxy'
  | 'portal'
  | 'garbled'
  | 'reset'
  | 'cut'
  | 'stalled'
  | 'timeout'
  | 'too-large'
  | 'aborted'

const retry: Next = { kind: 'retry' }
const overload: Next = { kind: 'retry', isOverload: true }
const unreachable: Next = { kind: 'pause-target', state: 'unreachable' }

interface Verdict {
  readonly next: Next
  readonly step: string
}

const verdicts: Readonly<Record<FailureKind, Verdict>> = {
  unreachable: { next: unreachable, step: 'it goes on by itself when the network is back' },
  tls: {
    next: unreachable,
    step: 'if a proxy of yours opens TLS, give its certificate as http.ca-file; check the clock',
  },
  proxy: { next: unreachable, step: 'check http.proxy and its login' },
  portal: { next: unreachable, step: 'log in to the network (a browser shows its page), or set http.proxy' },
  garbled: { next: retry, step: 'it is tried again' },
  reset: { next: retry, step: 'it is tried again' },
  cut: { next: retry, step: 'it is tried again' },
  stalled: { next: overload, step: 'it is tried again' },
  timeout: { next: overload, step: 'it is tried again' },
  'too-large': { next: retry, step: 'it is tried again; report it if it stays' },
  aborted: { next: retry, step: 'it is done again when asked for' },
}

export class TransportError extends TargetError {
  readonly kind: FailureKind
  /** The server may have seen the whole request: what it asked for may have been done. */
  readonly afterSent: boolean

  /** @param what which call it was and what happened, in words without secrets. */
  constructor(kind: FailureKind, what: string, options: { readonly afterSent: boolean; readonly cause?: unknown }) {
    super(verdicts[kind].next, `${what}; ${verdicts[kind].step}`, { cause: options.cause })
    this.kind = kind
    this.afterSent = options.afterSent
  }
}

/** Somebody between us and the server answered in its place: a captive portal, a filter, a proxy's page. Never a success. */
export class PortalAnswer extends TransportError {
  constructor(what: string, afterSent: boolean) {
    super('portal', what, { afterSent })
  }
}

/** How far a call was when it failed. */
export interface Reached {
  /** The request, as log lines show it. */
  readonly shown: string
  /** The request began to be written to a connection. */
  readonly hasStarted: boolean
  readonly hasAnswer: boolean
  readonly afterSent: boolean
}

const tlsCode = /^(CERT_|ERR_TLS_|ERR_SSL_|EPROTO$|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH)/
const proxyRefusal = /^Proxy response \((\d+)\)/

/** undici's and the system's errors as ours. What is ours already stays as it is. */
export function failureOf(thrown: unknown, reached: Reached): Error {
  const cause = asError(thrown)
  if (cause instanceof TargetError) return cause
  const code = errnoOf(innermost(cause)) ?? errnoOf(cause) ?? cause.name
  const options = { afterSent: reached.afterSent, cause }
  const refusal = proxyRefusal.exec(cause.message)
  if (refusal !== null || code === 'UND_ERR_PRX_TLS')
    return new TransportError(
      'proxy',
      `${reached.shown}: the proxy answered ${refusal?.[1] ?? 'with bad TLS'}`,
      options,
    )
  if (tlsCode.test(code)) return new TransportError('tls', `${reached.shown}: no trust (${code})`, options)
  if (/^(HPE_|HTTPParserError|UND_ERR_HEADERS_OVERFLOW)/.test(code))
    return new TransportError('garbled', `${reached.shown}: the answer is no HTTP (${code})`, options)
  if (!reached.hasStarted)
    return new TransportError('unreachable', `${reached.shown}: no connection (${code})`, options)
  if (reached.hasAnswer) return new TransportError('cut', `${reached.shown}: the answer broke off (${code})`, options)
  return new TransportError('reset', `${reached.shown}: the connection broke (${code})`, options)
}

/** Proxies' and address families' errors come wrapped. */
function innermost(error: Error): Error {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error.cause
  return first instanceof Error ? innermost(first) : error
}
