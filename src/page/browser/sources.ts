/** The watched folders: what each sees, when all of it was looked at last, and removals that wait for a word. */
import { showDuration } from '../../base/units.ts'
import type { SourceStatus } from '../../control/answers.ts'
import { button, type Actions } from './actions.ts'
import { attribute, count, counted, el, found, Listing, say, sayIf, type View } from './dom.ts'

export class SourcesView {
  readonly #listing: Listing<SourceStatus>

  constructor(actions: Actions) {
    this.#listing = new Listing(
      found('sources'),
      ({ name }) => name,
      ({ name }) => sourceView(name, actions),
    )
  }

  show(sources: readonly SourceStatus[]): void {
    this.#listing.show(sources)
  }
}

const goodStates = ['watching', 'polling']
const badStates = ['missing', 'stopped']

export function toneOf(state: string, good: readonly string[], bad: readonly string[]): string {
  return good.includes(state) ? 'good' : bad.includes(state) ? 'bad' : 'warn'
}

function sourceView(name: string, actions: Actions): View<SourceStatus> {
  const state = el('span', { class: 'state' })
  const facts = el('p', { class: 'facts' })
  const reason = el('p', { class: 'reason' })
  const approve = button('Let copies follow…', `let copies follow the removals of ${name}`, () => actions.approve(name))
  const held = el('p', { class: 'row' }, approve)
  const heading = el('div', { class: 'heading' }, el('h3', {}, name), state)
  const element = el('li', { class: 'card source' }, heading, facts, reason, held)
  return {
    element,
    show(source) {
      say(state, source.state)
      attribute(state, 'data-tone', toneOf(source.state, goodStates, badStates))
      say(facts, factsOf(source).join(' · '))
      sayIf(reason, source.reason)
      held.hidden = !source.removalsHeld
    },
  }
}

function factsOf({ files, watched, settling, lastScanMs }: SourceStatus): string[] {
  const facts = [counted(files, 'file'), `${counted(watched, 'folder')} watched`]
  facts.push(lastScanMs === null ? 'not compared yet' : `compared ${agoOf(lastScanMs)}`)
  if (settling > 0) facts.push(`${count(settling)} settling`)
  return facts
}

/** In steps that a reader can follow. */
export function agoOf(ms: number): string {
  if (ms < 60_000) return 'a moment ago'
  return `${showDuration(Math.floor(ms / 60_000) * 60_000)} ago`
}
