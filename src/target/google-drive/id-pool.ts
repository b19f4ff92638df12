/** Ids that Google made before there is anything to call by them: whoever creates with one may ask afterwards whether it came to be (F55). */
import { orAbort } from '../../base/abort.ts'
import type { Clock } from '../../base/clock.ts'
import type { DriveApi } from './api.ts'
import { parseIds } from './metadata.ts'

/** Fetched at a time. They cost nothing, but nobody knows how long they are good, */
const batch = 200
/** so that none is used for the first time after this. Unit: ms. */
const ageMsMax = 3_600_000

export class IdPool {
  readonly #api: DriveApi
  readonly #clock: Clock
  #ids: string[] = []
  #fetchedMs = 0
  #flight: Promise<void> | undefined

  constructor(api: DriveApi, clock: Clock) {
    this.#api = api
    this.#clock = clock
  }

  async take(signal: AbortSignal): Promise<string> {
    for (;;) {
      if (this.#clock.monotonicMs() - this.#fetchedMs > ageMsMax) this.forget()
      const id = this.#ids.pop()
      if (id !== undefined) return id
      this.#flight ??= this.#fetch().finally(() => (this.#flight = undefined))
      await orAbort(this.#flight, signal)
    }
  }

  /** Those of before may be another account's. */
  forget(): void {
    this.#ids = []
  }

  async #fetch(): Promise<void> {
    const verb = 'question for new ids'
    // Nobody's abort ends it, since others wait for it too; the transport's end does.
    const endless = new AbortController().signal
    const params = { count: batch, space: 'drive', fields: 'ids' }
    const value = await this.#api.rpc(verb, (sdk, options) => sdk.files.generateIds(params, options), endless)
    this.#fetchedMs = this.#clock.monotonicMs()
    this.#ids.push(...parseIds(this.#api.what(verb), value))
  }
}
