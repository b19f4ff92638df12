/** A small plot of one lane's last minutes: what it sent as an area, how far it was behind as a line, each on a scale of its own. */
import { showBytes } from '../../base/units.ts'
import { attribute, el, say, svg, wholeSeconds } from './dom.ts'
import { windowMs, type Point } from './rates.ts'

/** A page that was just opened has no past: it grows from here. Unit: ms. */
const windowMsLeast = 60_000

const plotWidth = 600
const plotHeight = 56
/** The line at the foot needs room. */
const top = 4
const bottom = 2
/** Below this a lag is the way of things and no news. Unit: ms. */
const lagMsLeast = 10_000
/** Unit: bytes per second. */
const rateLeast = 1024

export class Plot {
  readonly element: HTMLElement
  readonly #area = svg('path', { class: 'area' })
  readonly #edge = svg('path', { class: 'edge', 'vector-effect': 'non-scaling-stroke' })
  readonly #lag = svg('path', { class: 'lag', 'vector-effect': 'non-scaling-stroke' })
  readonly #picture: SVGElement
  readonly #rateWords = el('span', { class: 'rate-key' })
  readonly #lagWords = el('span', { class: 'lag-key' })
  readonly #spanWords = el('span')

  constructor() {
    const box = { viewBox: `0 0 ${plotWidth} ${plotHeight}`, preserveAspectRatio: 'none', role: 'img' }
    this.#picture = svg('svg', box, this.#area, this.#edge, this.#lag)
    const key = el('figcaption', {}, this.#rateWords, this.#lagWords, this.#spanWords)
    this.element = el('figure', { class: 'plot' }, this.#picture, key)
  }

  /** @param nowMs at the right edge. */
  show(name: string, points: readonly Point[], nowMs: number): void {
    const [rateMost, lagMost] = mostOf(points)
    const spanMs = Math.min(windowMs, Math.max(windowMsLeast, nowMs - (points[0]?.atMs ?? nowMs)))
    const x = (atMs: number): number => plotWidth * (1 - (nowMs - atMs) / spanMs)
    const y = (share: number): number => plotHeight - bottom - share * (plotHeight - top - bottom)
    const rates = runs(points.map(({ atMs, rate }) => [x(atMs), rate && y(rate / Math.max(rateLeast, rateMost))]))
    attribute(this.#area, 'd', rates.map((run) => areaOf(run, y(0))).join(''))
    attribute(this.#edge, 'd', rates.map(lineOf).join(''))
    const lags =
      lagMost === 0 ? [] : runs(points.map(({ atMs, lagMs }) => [x(atMs), y(lagMs / Math.max(lagMsLeast, lagMost))]))
    attribute(this.#lag, 'd', lags.map(lineOf).join(''))
    // A lane at rest needs no picture of nothing.
    this.element.hidden = rateMost === 0 && lagMost === 0
    this.#say(name, [rateMost, lagMost, spanMs])
  }

  #say(name: string, [rateMost, lagMost, spanMs]: readonly [number, number, number]): void {
    const rateWords = rateMost === 0 ? 'nothing sent' : `rate, at most ${showBytes(rateMost)}/s`
    const lagWords = lagMost === 0 ? 'no lag' : `lag, at most ${wholeSeconds(lagMost)}`
    const minutes = Math.round(spanMs / 60_000)
    const spanWords = minutes === 1 ? 'last minute' : `last ${minutes} minutes`
    say(this.#rateWords, rateWords)
    say(this.#lagWords, lagWords)
    say(this.#spanWords, spanWords)
    attribute(this.#picture, 'aria-label', `${name}, ${spanWords}: ${rateWords}; ${lagWords}`)
  }
}

function mostOf(points: readonly Point[]): readonly [rate: number, lagMs: number] {
  return [Math.max(0, ...points.map(({ rate }) => rate ?? 0)), Math.max(0, ...points.map(({ lagMs }) => lagMs))]
}

type Spot = readonly [x: number, y: number]

/** Stretches without a gap. */
function runs(spots: readonly (readonly [x: number, y: number | undefined])[]): Spot[][] {
  const found: Spot[][] = []
  let run: Spot[] = []
  for (const [x, y] of spots) {
    if (y === undefined) {
      if (run.length > 0) found.push(run)
      run = []
    } else run.push([x, y])
  }
  return run.length > 0 ? [...found, run] : found
}

function lineOf(run: readonly Spot[]): string {
  return run.map(([x, y], at) => `${at === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('')
}

function areaOf(run: readonly Spot[], foot: number): string {
  const [first, last] = [run[0], run.at(-1)]
  if (first === undefined || last === undefined) return ''
  return `${lineOf(run)}L${last[0].toFixed(1)} ${foot}L${first[0].toFixed(1)} ${foot}Z`
}
