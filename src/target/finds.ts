/**
 * Whether it is worth to look before a small file is sent: usually not, since the look costs as much as the file. In a place that holds copies
 * of which nothing is known any more, it is: none of them is to be sent again (F87).
 */

/** So many looks in a row that found nothing: what is to come is new there, too. */
const missesMax = 32

export class Finds {
  #missesLeft = 0

  /** There are files, and nothing is known of them. */
  expect(): void {
    this.#missesLeft = missesMax
  }

  get isLikely(): boolean {
    return this.#missesLeft > 0
  }

  looked(isThere: boolean): void {
    if (this.#missesLeft > 0) this.#missesLeft = isThere ? missesMax : this.#missesLeft - 1
  }
}
