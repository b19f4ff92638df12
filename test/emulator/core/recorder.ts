/** What was asked and what came of it. Remembers the last requests in whole, and counts all of them by route. */

export interface RequestRecord {
  readonly id: number
  readonly atMs: number
  readonly method: string
  readonly host: string
  readonly route: string
  /** What the provider thinks worth telling: arguments, ranges. Never a token. */
  words: string
  requestBytes: number
  answerBytes: number
  /** Undefined as long as it is under way, and when the client saw no answer. */
  status: number | undefined
  endedMs: number | undefined
  readonly faults: string[]
}

export interface RouteCount {
  requests: number
  underWay: number
  /** Most that were under way at once. */
  peak: number
  requestBytes: number
}

/** Records kept; older ones live on in the counts only. */
const recordsMax = 20_000

export class Recorder {
  #records: RequestRecord[] = []
  #counts = new Map<string, RouteCount>()
  readonly #waiting = new Set<() => void>()
  #made = 0

  /** Newest last. */
  get records(): readonly RequestRecord[] {
    return this.#records
  }

  get routes(): Readonly<Record<string, RouteCount>> {
    return Object.fromEntries(this.#counts)
  }

  /** Of all routes. */
  get total(): number {
    return [...this.#counts.values()].reduce((sum, { requests }) => sum + requests, 0)
  }

  count(route: string): number {
    return this.#counts.get(route)?.requests ?? 0
  }

  begin(seen: Pick<RequestRecord, 'atMs' | 'method' | 'host' | 'route'>): RequestRecord {
    this.#made += 1
    const record: RequestRecord = {
      ...seen,
      id: this.#made,
      words: '',
      requestBytes: 0,
      answerBytes: 0,
      status: undefined,
      endedMs: undefined,
      faults: [],
    }
    this.#records.push(record)
    if (this.#records.length > 2 * recordsMax) this.#records = this.#records.slice(-recordsMax)
    const count = this.#countOf(seen.route)
    count.requests += 1
    count.underWay += 1
    count.peak = Math.max(count.peak, count.underWay)
    for (const look of this.#waiting) look()
    return record
  }

  end(record: RequestRecord, atMs: number): void {
    record.endedMs = atMs
    const count = this.#countOf(record.route)
    count.underWay -= 1
    count.requestBytes += record.requestBytes
    for (const look of this.#waiting) look()
  }

  /** Resolves once `holds`, looked at whenever a request begins or ends. @throws the signal's reason */
  until(holds: (recorder: Recorder) => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(look)
        signal.removeEventListener('abort', give)
      }
      const look = (): void => {
        if (!holds(this)) return
        leave()
        resolve()
      }
      const give = (): void => {
        leave()
        reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)))
      }
      if (signal.aborted) return give()
      this.#waiting.add(look)
      signal.addEventListener('abort', give)
      look()
    })
  }

  /** Starts anew; requests under way are counted when they end. */
  clear(): void {
    this.#records = []
    for (const [route, { underWay }] of this.#counts) {
      this.#counts.set(route, { requests: 0, underWay, peak: underWay, requestBytes: 0 })
    }
  }

  #countOf(route: string): RouteCount {
    const count = this.#counts.get(route) ?? { requests: 0, underWay: 0, peak: 0, requestBytes: 0 }
    this.#counts.set(route, count)
    return count
  }
}
