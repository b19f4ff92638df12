/** Work that came in the middle of a dispatch, done in order once it is over. */

export class Deferred {
  /** Bounded by what the selectors and hashes do in one dispatch. */
  readonly #works: (() => void)[] = []
  #isRunning = false

  get isEmpty(): boolean {
    return this.#works.length === 0
  }

  add(work: () => void): void {
    this.#works.push(work)
  }

  /** Work that defers more work finds it done in the same run. */
  run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    for (let work = this.#works.shift(); work !== undefined; work = this.#works.shift()) work()
    this.#isRunning = false
  }
}
