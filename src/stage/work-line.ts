/** Asynchronous work done one piece at a time, in order of arrival. Its bound is its owner's concern. */

export class WorkLine {
  #last: Promise<unknown> = Promise.resolve()

  /** @returns what the work comes to. A failure concerns its caller alone. */
  run<R>(work: () => Promise<R>): Promise<R> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }
}
