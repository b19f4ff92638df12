/** The last lines of the history, read again when the status says that something happened. */
import type { HistoryLine, Status } from '../../control/answers.ts'
import { ask } from './connection.ts'
import { el, found, Listing, type View } from './dom.ts'

const shownMax = 15
/** Busy days are not read line by line. Unit: ms. */
const readEveryMs = 3_000

export class HistoryView {
  readonly #listing = new Listing<HistoryLine & { readonly key: string }>(found('history'), ({ key }) => key, lineView)
  #seen = ''
  #timer: number | undefined
  #isReading = false

  show(status: Status): void {
    const facts = JSON.stringify([
      status.causes,
      status.targets.map(({ delivered, parked, waiting }) => [delivered, parked, waiting]),
    ])
    if (facts === this.#seen) return
    if (this.#isReading || this.#timer !== undefined) return
    this.#seen = facts
    this.#read()
  }

  #read(): void {
    this.#isReading = true
    ask
      .history(shownMax)
      .then((lines) => this.#listing.show(withKeys(lines)))
      // The next status says that the daemon is away.
      .catch(() => (this.#seen = ''))
      .finally(() => {
        this.#isReading = false
        this.#timer = window.setTimeout(() => (this.#timer = undefined), readEveryMs)
      })
  }
}

/** Lines have no name of their own; two may be alike. */
function withKeys(lines: readonly HistoryLine[]): (HistoryLine & { readonly key: string })[] {
  const seen = new Map<string, number>()
  return lines.map((line) => {
    const text = JSON.stringify(line)
    const times = (seen.get(text) ?? 0) + 1
    seen.set(text, times)
    return { ...line, key: `${text}${times}` }
  })
}

const tones: Readonly<Record<string, string>> = { delivered: 'good', parked: 'bad', overflow: 'bad', retry: 'warn' }

function lineView(line: HistoryLine): View<HistoryLine> {
  const at = new Date(line.at)
  const time = el('time', { datetime: line.at, title: at.toLocaleString() }, at.toLocaleTimeString())
  const event = el('span', { class: 'state', 'data-tone': tones[line.event] ?? 'plain' }, line.event)
  const where = [line.path ?? line.source ?? '', line.target === null ? '' : `→ ${line.target}`].filter(
    (text) => text !== '',
  )
  const path = el('span', { class: 'path' }, where.join(' '))
  return {
    element: el('li', {}, time, event, path, el('span', { class: 'words', title: line.detail }, line.detail)),
    show: () => {},
  }
}
