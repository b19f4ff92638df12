/** An account's bearer tokens as calls use them: one renewal for however many calls were refused. How tokens are had is the credentials' concern. */
import { orAbort } from '../../base/abort.ts'

export interface Credentials {
  /** The current token; a cached one costs nothing. */
  bearer(signal: AbortSignal): Promise<string>
  /** A token in place of one that the server refused. @throws what the lane shall do when there is none, such as a `needs-login`. */
  renew(rejected: string, signal: AbortSignal): Promise<string>
}

export class Login {
  readonly #credentials: Credentials
  readonly #onRenewal: () => void
  /** Ends with the transport: a renewal outlives the call that asked for it, since others wait for it too. */
  readonly #signal: AbortSignal
  #flight: { readonly rejected: string; readonly fresh: Promise<string> } | undefined

  constructor(credentials: Credentials, onRenewal: () => void, signal: AbortSignal) {
    this.#credentials = credentials
    this.#onRenewal = onRenewal
    this.#signal = signal
  }

  bearer(signal: AbortSignal): Promise<string> {
    return orAbort(this.#credentials.bearer(signal), signal)
  }

  /** The token to use in place of a refused one. */
  async renewed(rejected: string, signal: AbortSignal): Promise<string> {
    if (this.#flight?.rejected !== rejected) {
      // Answers to calls that left before a renewal come in after it: they only need what is there already.
      const current = await this.bearer(signal)
      if (current !== rejected) return current
    }
    return orAbort(this.#renewal(rejected), signal)
  }

  #renewal(rejected: string): Promise<string> {
    if (this.#flight?.rejected === rejected) return this.#flight.fresh
    this.#onRenewal()
    const fresh = this.#credentials.renew(rejected, this.#signal).finally(() => {
      if (this.#flight?.fresh === fresh) this.#flight = undefined
    })
    this.#flight = { rejected, fresh }
    return fresh
  }
}
