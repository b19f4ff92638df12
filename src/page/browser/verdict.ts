/** The verdict in words: safe or not, why not, and for each reason what its owner can do. */
import type { Status } from '../../control/answers.ts'
import { attribute, count, counted, el, found, Listing, say, sayIf, wholeSeconds } from './dom.ts'

interface Cause {
  readonly name: string
  readonly words: string
  /** What is known of it beyond the words, with the next step; null where the words say all. */
  readonly detail: string | null
}

export class VerdictView {
  readonly #panel = found('verdict')
  readonly #words = found('verdict-words')
  readonly #facts = found('verdict-facts')
  readonly #causes = new Listing<Cause>(found('causes'), ({ name }) => name, causeView)

  show(status: Status): void {
    attribute(this.#panel, 'data-tone', status.healthy ? 'good' : 'bad')
    // Said aloud when it changes, so nothing that ticks stands in it.
    say(this.#words, status.healthy ? 'Everything is safe' : 'Not everything is safe')
    say(this.#facts, factsOf(status))
    this.#causes.show(causesOf(status))
    document.title = status.healthy ? 'Fanfold · safe' : `Fanfold · ${counted(status.causes.length, 'problem')}`
  }
}

function factsOf({ sources, targets, oldestMs }: Status): string {
  const files = sources.reduce((sum, source) => sum + source.files, 0)
  const owed = targets.reduce((sum, { waiting, active }) => sum + waiting + active, 0)
  const kept = `${counted(files, 'file')} watched, ${counted(targets.length, 'target')}`
  if (owed === 0) return `${kept}. Nothing is on its way.`
  const oldest = oldestMs === null ? '' : `, the oldest for ${wholeSeconds(oldestMs)}`
  return `${kept}. ${count(owed)} ${owed === 1 ? 'copy is' : 'copies are'} on the way${oldest}.`
}

function causesOf(status: Status): Cause[] {
  return status.causes.map((name, at) => {
    const words = status.reasons[at] ?? name
    const detail = detailOf(name, status)
    return { name, words, detail: detail === words ? null : detail }
  })
}

/** The source's or target's own reason names the next step. */
function detailOf(cause: string, { sources, targets }: Status): string | null {
  const [role, name] = cause.split(' ')
  const entries = role === 'source' ? sources : role === 'target' ? targets : []
  return entries.find((entry) => entry.name === name)?.reason ?? null
}

function causeView(): { element: Element; show(cause: Cause): void } {
  const words = el('strong')
  const detail = el('p')
  const element = el('li', {}, words, detail)
  return {
    element,
    show(cause) {
      say(words, cause.words)
      sayIf(detail, cause.detail)
    },
  }
}
