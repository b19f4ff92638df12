/**
 * Which causes somebody has to be told of: each once as long as it lasts. A pure machine from looks to news; holds no clock.
 *
 *   seen       a cause of the last look that is younger than `holdMs`: it may pass by itself. Left to told, or when it is gone.
 *   told       it was told. Left once it is gone for `forgetMs`, or with the green that ends them all.
 */

/** A target that is opened, or started again, is no news. Unit: ms. */
export const holdMs = 30_000
/** One that comes and goes is one cause. Unit: ms. */
export const forgetMs = 3_600_000

export type News =
  | { readonly kind: 'none' }
  /** These came up. */
  | { readonly kind: 'red'; readonly fresh: readonly string[] }
  | { readonly kind: 'green' }

export class Causes {
  readonly #told: Map<string, number>
  readonly #seenMs = new Map<string, number>()
  #greenMs: number | undefined

  /** @param told before a restart. */
  constructor(told: readonly string[], nowMs: number) {
    this.#told = new Map(told.map((cause) => [cause, nowMs]))
  }

  get told(): readonly string[] {
    return [...this.#told.keys()]
  }

  /** What is to be told after a look; the same again with each look until `tell` says that it was. */
  look(causes: readonly string[], nowMs: number): News {
    for (const cause of this.#seenMs.keys()) if (!causes.includes(cause)) this.#seenMs.delete(cause)
    for (const cause of causes) if (!this.#seenMs.has(cause)) this.#seenMs.set(cause, nowMs)
    for (const [cause, lastMs] of this.#told) {
      if (causes.includes(cause)) this.#told.set(cause, nowMs)
      else if (causes.length > 0 && nowMs - lastMs >= forgetMs) this.#told.delete(cause)
    }
    this.#greenMs = causes.length > 0 ? undefined : (this.#greenMs ?? nowMs)
    if (this.#greenMs !== undefined)
      return this.#told.size > 0 && nowMs - this.#greenMs >= holdMs ? { kind: 'green' } : { kind: 'none' }
    const fresh = causes.filter((cause) => this.#isFresh(cause, nowMs))
    return fresh.length > 0 ? { kind: 'red', fresh } : { kind: 'none' }
  }

  #isFresh(cause: string, nowMs: number): boolean {
    return !this.#told.has(cause) && nowMs - (this.#seenMs.get(cause) ?? nowMs) >= holdMs
  }

  /** It was told. */
  tell(news: News, nowMs: number): void {
    if (news.kind === 'red') for (const cause of news.fresh) this.#told.set(cause, nowMs)
    if (news.kind === 'green') this.#told.clear()
  }
}
