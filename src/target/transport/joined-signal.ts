/**
 * One signal out of several, for as long as somebody holds it. `AbortSignal.any` is not used for calls: signals that live as long as
 * the daemon keep a trace of each signal ever made from them (Node 20: about 90 bytes).
 */
import { onAbort } from '../../base/abort.ts'

export class JoinedSignal {
  readonly #abort = new AbortController()
  #stopListening: readonly (() => void)[] = []
  #holders = 0

  constructor(signals: readonly AbortSignal[]) {
    this.#stopListening = signals.map((signal) => onAbort(signal, (reason) => this.#abort.abort(reason)))
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Answers the function that lets go, to be called once. With the last one the sources are heard no more. */
  hold(): () => void {
    this.#holders++
    return () => {
      this.#holders--
      if (this.#holders === 0) for (const stop of this.#stopListening) stop()
    }
  }
}
