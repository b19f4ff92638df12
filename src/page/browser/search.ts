/** Where one file is: the verdict per target, for a path that somebody typed. */
import { showBytes } from '../../base/units.ts'
import type { PathVerdict, Verdict } from '../../control/answers.ts'
import { ask } from './connection.ts'
import { el, found } from './dom.ts'

export class SearchView {
  readonly #input = found('search-path') as HTMLInputElement
  readonly #answer = found('search-answer')

  constructor() {
    found('search').addEventListener('submit', (event) => {
      event.preventDefault()
      const path = this.#input.value.trim()
      if (path === '') return
      ask
        .why(path)
        .then((verdicts) => this.#show(verdicts, path))
        .catch((thrown: unknown) => this.#say(thrown instanceof Error ? thrown.message : String(thrown)))
    })
  }

  #show(verdicts: readonly PathVerdict[], path: string): void {
    if (verdicts.length === 0) return this.#say(`${path} lies in no source.`)
    this.#answer.replaceChildren(...verdicts.map(verdictOf))
  }

  #say(text: string): void {
    this.#answer.replaceChildren(el('p', {}, text))
  }
}

function verdictOf({ source, path, file, reason, size, targets }: PathVerdict): Element {
  const facts = [file, ...(size === null ? [] : [showBytes(size)]), reason].join(' · ')
  const title = el(
    'p',
    {},
    el('strong', { class: 'path' }, `${source}/${path}`),
    ' ',
    el('span', { class: 'words' }, facts),
  )
  return el('div', { class: 'card' }, title, el('ul', { class: 'verdicts' }, ...targets.map(lineOf)))
}

const tones: Readonly<Record<string, string>> = { delivered: 'good', parked: 'bad', 'not-selected': 'plain' }

function lineOf({ target, state, reason, at }: Verdict): Element {
  const words = at === null ? reason : `${reason} · at ${at}`
  const mark = el('span', { class: 'state', 'data-tone': tones[state] ?? 'warn' }, state)
  return el('li', {}, el('strong', {}, target), mark, el('span', { class: 'words' }, words))
}
