/** Shows one status after another: a live picture on a terminal, else a plain line now and then. */
import type { Clock } from '../base/clock.ts'
import type { Fields, Log } from '../base/log.ts'
import type { Status } from '../control/control.ts'
import { frameOf, plainLine, type View } from './frame.ts'
import { LiveScreen } from './live-screen.ts'
import { Speedometer } from './rates.ts'
import { harmless } from './spans.ts'
import type { Terminal } from './terminal.ts'

export interface DisplayOptions {
  readonly head?: readonly string[]
  readonly foot?: readonly string[]
  /** Plain lines only where something differs; else one every 2 s, which also tells a script that we live. */
  readonly onlyChanges?: boolean
}

/** Calm enough to read and to keep. Unit: ms. */
const plainLineMs = 2000

export class StatusDisplay {
  readonly #terminal: Terminal
  readonly #clock: Clock
  readonly #options: DisplayOptions
  readonly #speed = new Speedometer()
  readonly #screen: LiveScreen | undefined
  #last: Status | undefined
  #lastLineAtMs = -Infinity
  #lastFacts = ''

  constructor(terminal: Terminal, clock: Clock, options: DisplayOptions = {}) {
    this.#terminal = terminal
    this.#clock = clock
    this.#options = options
    this.#screen = terminal.isLive ? new LiveScreen(terminal, () => this.#draw()) : undefined
  }

  show(status: Status): void {
    this.#last = status
    this.#speed.add(status, this.#clock.monotonicMs())
    if (this.#screen === undefined) this.#printLine(status)
    else this.#draw()
  }

  /** Prints whole lines that stay, above the picture where there is one. */
  above(text: string): void {
    if (this.#screen === undefined) this.#terminal.write(text)
    else this.#screen.above(text)
  }

  close(): void {
    this.#screen?.close()
  }

  #draw(): void {
    if (this.#last === undefined) return
    const view: View = {
      head: this.#options.head ?? [],
      foot: this.#options.foot ?? [],
      status: this.#last,
      speedOf: (target) => this.#speed.of(target),
    }
    const size = { columns: this.#terminal.columns(), rows: this.#terminal.rows() }
    this.#screen?.draw(frameOf(view, size, this.#terminal.hasColour))
  }

  #printLine(status: Status): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#lastLineAtMs < plainLineMs) return
    const facts = factsOf(status)
    if (this.#options.onlyChanges === true && facts === this.#lastFacts) return
    this.#lastLineAtMs = nowMs
    this.#lastFacts = facts
    this.#terminal.print(
      plainLine(status, (target) => this.#speed.of(target), new Date(this.#clock.wallMs()).toISOString()),
    )
  }
}

/** What makes a status worth a new line: all but what only time moves. */
function factsOf(status: Status): string {
  const lanes = status.targets.map(({ name, state, waiting, active, delivered, parked, reason, bytesSent }) =>
    JSON.stringify([name, state, waiting, active, delivered, parked, reason, bytesSent]),
  )
  return JSON.stringify([status.healthy, status.sources, lanes])
}

/** A log for somebody who looks at the display: what is in order shows there already, so only warnings and errors are printed. */
export function shownLog(display: StatusDisplay): (room: string) => Log {
  return (room) => {
    const say = (event: string, fields: Fields = {}): void => {
      const facts = Object.entries(fields).map(([name, value]) => ` ${name}=${String(value)}`)
      display.above(`${harmless(`${room}: ${event}${facts.join('')}`)}\n`)
    }
    return { hasDebug: false, debug: () => {}, info: () => {}, warn: say, error: say }
  }
}
