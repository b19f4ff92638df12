/**
 * The way to the daemon: its live status as long as the page is seen, tried again whenever it is lost. Answers are trusted to have the
 * shapes of the desk: page and daemon are of one version.
 */
import type { HistoryLine, ParkedLine, PathVerdict, Status } from '../../control/answers.ts'
import type { TrendSample } from '../trend.ts'

/** Between two tries to reach a daemon that is away: it may only be restarting. Unit: ms. */
const againMsFirst = 1_000
const againMsMost = 10_000

export type Reach = 'live' | 'away'

export interface Listener {
  status(status: Status): void
  /** The daemon answers again, or does not any more. */
  reach(reach: Reach): void
}

/** Streams while the page is seen: one that nobody sees costs the daemon nothing. */
export class Connection {
  readonly #listener: Listener
  #events: EventSource | undefined
  #again: number | undefined
  #againMs = againMsFirst

  constructor(listener: Listener) {
    this.#listener = listener
    document.addEventListener('visibilitychange', () => this.#follow())
    this.#follow()
  }

  #follow(): void {
    if (document.visibilityState === 'visible') this.#open()
    else this.#close()
  }

  #open(): void {
    this.#close()
    const events = new EventSource('/events')
    this.#events = events
    events.addEventListener('status', (event: MessageEvent<string>) => {
      this.#againMs = againMsFirst
      this.#listener.reach('live')
      this.#listener.status(JSON.parse(event.data) as Status)
    })
    events.addEventListener('error', () => {
      this.#close()
      this.#listener.reach('away')
      this.#again = window.setTimeout(() => this.#open(), this.#againMs)
      this.#againMs = Math.min(againMsMost, this.#againMs * 2)
    })
  }

  #close(): void {
    window.clearTimeout(this.#again)
    this.#events?.close()
    this.#events = undefined
  }
}

async function asked<T>(path: string, options: RequestInit = {}): Promise<T> {
  const answer = await fetch(path, { ...options, cache: 'no-store' })
  const body = (await answer.json()) as T & { readonly error?: string }
  if (!answer.ok) throw new Error(body.error ?? `the daemon answered ${answer.status}`)
  return body
}

export const ask = {
  trend: (): Promise<readonly TrendSample[]> => asked('/trend'),
  history: (limit: number): Promise<readonly HistoryLine[]> => asked(`/history?limit=${limit}`),
  parked: (target: string, limit: number): Promise<readonly ParkedLine[]> =>
    asked(`/parked?target=${encodeURIComponent(target)}&limit=${limit}`),
  why: (path: string): Promise<readonly PathVerdict[]> => asked(`/why?path=${encodeURIComponent(path)}`),
}

/** Has the daemon do something. @throws Error in the daemon's words. */
export function order<T>(path: string, body: unknown, token: string): Promise<T> {
  const headers = { 'content-type': 'application/json', 'fanfold-token': token }
  return asked<T>(path, { method: 'POST', headers, body: JSON.stringify(body) })
}
