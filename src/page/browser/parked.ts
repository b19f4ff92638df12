/** What is parked at one target: each file with its reason and next step, read when somebody opens the list. */
import { showBytes, showDuration } from '../../base/units.ts'
import type { ParkedLine } from '../../control/answers.ts'
import { button, type Actions } from './actions.ts'
import { ask } from './connection.ts'
import { count, counted, el, Listing, say, type View } from './dom.ts'
import { agoOf } from './sources.ts'

/** More are counted, not shown: one retry is for all of them. */
const shownMax = 50

export class ParkedList {
  readonly element: HTMLDetailsElement
  readonly #target: string
  readonly #title = el('summary')
  readonly #rest = el('p', { class: 'words' })
  readonly #listing: Listing<ParkedLine>
  #parked = 0

  constructor(target: string, actions: Actions) {
    this.#target = target
    // What scrolls has to be reached by keyboard.
    const list = el('ul', { tabindex: '0', 'aria-label': `parked at ${target}` })
    this.#listing = new Listing(list, ({ source, path }) => `${source}\n${path}`, parkedView)
    const again = button('Try all again', `try all again that is parked at ${target}`, () => actions.retry(target))
    const foot = el('p', { class: 'row' }, again, this.#rest)
    this.element = el('details', { class: 'parked' }, this.#title, list, foot)
    this.element.addEventListener('toggle', () => this.#read())
  }

  show(parked: number): void {
    const isNew = parked !== this.#parked
    this.element.hidden = parked === 0
    say(this.#title, `${counted(parked, 'file')} parked`)
    // The first one is shown by itself: it waits for somebody.
    if (parked > 0 && this.#parked === 0) this.element.open = true
    this.#parked = parked
    if (isNew) this.#read()
  }

  #read(): void {
    if (!this.element.open || this.#parked === 0) return
    ask
      .parked(this.#target, shownMax)
      .then((lines) => {
        this.#listing.show(lines)
        const rest = this.#parked - lines.length
        say(this.#rest, rest > 0 ? `and ${count(rest)} more` : '')
      })
      // The next status says that the daemon is away.
      .catch(() => undefined)
  }
}

function parkedView({ path, size }: ParkedLine): View<ParkedLine> {
  const reason = el('p')
  const facts = el('span', { class: 'words' })
  const element = el('li', {}, el('span', { class: 'path' }, path), facts, reason)
  return {
    element,
    show(line) {
      say(reason, line.reason)
      const tries = counted(line.attempts, 'attempt')
      const next =
        line.nextTryMs === null ? '' : ` · again in ${showDuration(Math.ceil(line.nextTryMs / 60_000) * 60_000)}`
      say(facts, `${showBytes(size)} · ${tries} · since ${agoOf(line.ageMs)}${next}`.replace('since a', 'a'))
    },
  }
}
