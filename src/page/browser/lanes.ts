/** One lane per target, drawn as a lane: what waits, what is on its way, what was delivered; how fast, how far behind, and what is parked. */
import { showBytes } from '../../base/units.ts'
import type { TargetStatus } from '../../control/answers.ts'
import { button, type Actions } from './actions.ts'
import { attribute, count, counted, el, found, Listing, say, sayIf, wholeSeconds, width, type View } from './dom.ts'
import { ParkedList } from './parked.ts'
import { Plot } from './plot.ts'
import { remainingMs, type Rates } from './rates.ts'
import { toneOf } from './sources.ts'

/** Copies under way that are drawn; the others are counted. */
const sendingShownMax = 16
/** So many fit without scrolling. */
const sendingUnscrolled = 4

export class LanesView {
  readonly #listing: Listing<TargetStatus>

  constructor(rates: Rates, actions: Actions, now: () => number) {
    this.#listing = new Listing(
      found('lanes'),
      ({ name }) => name,
      ({ name, kind }) => new LaneView({ name, kind }, rates, actions, now),
    )
  }

  show(targets: readonly TargetStatus[]): void {
    this.#listing.show(targets)
  }
}

const badStates = ['missing', 'full', 'read-only', 'stopped', 'needs-login']

class LaneView implements View<TargetStatus> {
  readonly element: HTMLElement
  readonly #rates: Rates
  readonly #now: () => number
  readonly #state = el('span', { class: 'state' })
  readonly #reason = el('p', { class: 'reason' })
  readonly #waiting = stop('Waiting')
  readonly #active = stop('On the way')
  readonly #delivered = stop('Delivered')
  readonly #sending = el('ul', { class: 'sending' })
  readonly #copies: Listing<TargetStatus['sending'][number]>
  readonly #track = el('span')
  readonly #facts = el('p', { class: 'facts' })
  readonly #plot = new Plot()
  readonly #parked: ParkedList
  readonly #pause: HTMLElement
  readonly #resume: HTMLElement

  constructor({ name, kind }: Pick<TargetStatus, 'name' | 'kind'>, rates: Rates, actions: Actions, now: () => number) {
    this.#rates = rates
    this.#now = now
    this.#copies = new Listing(this.#sending, ({ path }) => path, copyView)
    this.#parked = new ParkedList(name, actions)
    this.#pause = button('Pause', `pause ${name}`, () => actions.hold(name))
    this.#resume = button('Resume', `resume ${name}`, () => actions.resume(name))
    const resync = button('Compare', `compare ${name} with what it should hold`, () => actions.resync(name))
    const heading = el(
      'div',
      { class: 'heading' },
      el('h3', {}, name),
      el('span', { class: 'kind' }, kind),
      this.#state,
    )
    heading.append(el('span', { class: 'acts' }, this.#pause, this.#resume, resync))
    attribute(this.#sending, 'aria-label', `on the way to ${name}`)
    this.#active.box.append(this.#sending)
    const flow = el(
      'div',
      { class: 'flow' },
      this.#waiting.box,
      arrow(),
      this.#active.box,
      arrow(),
      this.#delivered.box,
    )
    const track = el('div', { class: 'track', 'aria-hidden': 'true' }, this.#track)
    const parts = [heading, this.#reason, flow, track, this.#facts, this.#plot.element, this.#parked.element]
    this.element = el('li', { class: 'card lane' }, ...parts)
  }

  show(lane: TargetStatus): void {
    say(this.#state, lane.state)
    attribute(this.#state, 'data-tone', toneOf(lane.state, ['running'], badStates))
    // What is parked says its reasons below, each with its file.
    sayIf(this.#reason, lane.state === 'running' && lane.parked > 0 ? null : lane.reason)
    this.#pause.hidden = lane.state === 'held'
    this.#resume.hidden = lane.state !== 'held'
    const total = lane.delivered + lane.waiting + lane.active + lane.parked
    this.#waiting.show(lane.waiting, lane.waiting === 0 ? 'nothing' : showBytes(lane.bytesWaiting))
    this.#active.show(lane.active, lane.active > lane.sending.length ? `${lane.sending.length} of them shown` : '')
    this.#delivered.show(lane.delivered, total === 0 ? '' : `${percentOf(lane.delivered, total)} of ${count(total)}`)
    this.#copies.show(lane.sending.slice(0, sendingShownMax))
    this.#sending.hidden = lane.sending.length === 0
    // What scrolls has to be reached by keyboard.
    attribute(this.#sending, 'tabindex', lane.sending.length > sendingUnscrolled ? '0' : false)
    width(this.#track, total === 0 ? 0 : lane.delivered / total)
    say(this.#facts, this.#factsOf(lane).join(' · '))
    this.#plot.show(lane.name, this.#rates.points(lane.name), this.#now())
    this.#parked.show(lane.parked)
  }

  #factsOf(lane: TargetStatus): string[] {
    const speed = this.#rates.speed(lane.name)
    const isMoving = speed.filesPerSecond + speed.bytesPerSecond > 0
    const facts = isMoving
      ? [`${speed.filesPerSecond.toFixed(1)} files/s`, `${showBytes(speed.bytesPerSecond)}/s`]
      : ['at rest']
    if (lane.oldestMs !== null) facts.push(`${wholeSeconds(lane.oldestMs)} behind`)
    const leftMs = remainingMs(lane, speed)
    if (leftMs !== undefined) facts.push(`about ${wholeSeconds(leftMs)} left`)
    if (lane.offering > 0) facts.push(`${counted(lane.offering, 'file')} to compare`)
    if (lane.leaving > 0) facts.push(`${count(lane.leaving)} leaving`)
    if (lane.space !== null) facts.push(spaceWords(lane.space))
    return facts
  }
}

function spaceWords({ usedBytes, freeBytes }: NonNullable<TargetStatus['space']>): string {
  const used = `${showBytes(usedBytes)} used`
  return freeBytes === null ? used : `${used}, ${showBytes(freeBytes)} free`
}

/** Not all is never 100 %. */
function percentOf(part: number, whole: number): string {
  return part === whole ? '100 %' : `${Math.min(99, Math.round((part / whole) * 100))} %`
}

interface Stop {
  readonly box: HTMLElement
  show(amount: number, words: string): void
}

function stop(label: string): Stop {
  const amount = el('span', { class: 'amount' })
  const words = el('span', { class: 'words' })
  const box = el('div', { class: 'stop' }, el('span', { class: 'label' }, label), amount, words)
  return {
    box,
    show(value, text) {
      say(amount, count(value))
      say(words, text)
      box.classList.toggle('empty', value === 0)
    },
  }
}

function arrow(): HTMLElement {
  return el('span', { class: 'arrow', 'aria-hidden': 'true' })
}

function copyView({ path }: TargetStatus['sending'][number]): View<TargetStatus['sending'][number]> {
  const bar = el('span')
  const amount = el('span', { class: 'words' })
  const slash = path.lastIndexOf('/') + 1
  const name = el('span', { class: 'path', title: path }, el('span', {}, path.slice(0, slash)), path.slice(slash))
  const element = el('li', {}, name, amount, el('span', { class: 'bar', 'aria-hidden': 'true' }, bar))
  return {
    element,
    show({ bytesDone, size }) {
      width(bar, size === 0 ? 0 : bytesDone / size)
      say(amount, `${size === 0 ? 0 : Math.floor((bytesDone / size) * 100)} % of ${showBytes(size)}`)
    },
  }
}
