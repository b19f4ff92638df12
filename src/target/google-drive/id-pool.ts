/** Ids that Google made before there is anything to call by them: whoever creates with one may ask afterwards whether it came to be (F55). */
import { orAbort } from '../../base/abort.ts'
import type { DriveApi } from './api.ts'
import { parseIds } from './metadata.ts'

/** Fetched at a time. They cost nothing, but nobody knows how long they are good. */
const batch = 200

export class IdPool {
  readonly #api: DriveApi
  #ids: string[] = []
  #flight: Promise<void> | undefined

  constructor(api: DriveApi) {
    this.#api = api
  }

  async take(signal: AbortSignal): Promise<string> {
    for (;;) {
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
    this.#ids.push(...parseIds(this.#api.what(verb), value))
  }
}
