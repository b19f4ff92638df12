/**
 * Keeps a flood of one kind of line from hiding all others: the journal itself drops whatever comes too fast, and says only how much.
 * A kind is a room's event at a level. Past its share lines are counted, and the count is told when the time is over. Debug lines pass.
 */
import type { Clock, Timer } from './clock.ts'
import type { Level } from './log-form.ts'
import type { Fields, Log } from './log.ts'

/** Lines of one kind within a time; 100 kinds at once would still stay below journald's 10,000 in 30 s. */
const linesMax = 50
/** Unit: ms. */
const spanMs = 30_000

interface Kind {
  count: number
  readonly timer: Timer
  /** Tells how many were left out. */
  readonly close: () => void
}

export class LogLimit {
  readonly #clock: Clock
  readonly #kinds = new Map<string, Kind>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `log`, with its share. */
  around(room: string, log: Log): Log {
    const limited =
      (level: Exclude<Level, 'debug'>) =>
      (event: string, fields?: Fields): void => {
        if (
          this.#isWithin(`${room}\0${level}\0${event}`, (suppressed) => log[level](event, { suppressed, ms: spanMs }))
        )
          log[level](event, fields)
      }
    return {
      hasDebug: log.hasDebug,
      debug: (event, fields) => log.debug(event, fields),
      info: limited('info'),
      warn: limited('warn'),
      error: limited('error'),
    }
  }

  /** Tells what was left out so far: nobody would later. */
  close(): void {
    for (const { close, timer } of this.#kinds.values()) {
      timer.clear()
      close()
    }
    this.#kinds.clear()
  }

  #isWithin(name: string, tell: (suppressed: number) => void): boolean {
    const kind = this.#kinds.get(name) ?? this.#begin(name, tell)
    kind.count++
    return kind.count <= linesMax
  }

  #begin(name: string, tell: (suppressed: number) => void): Kind {
    const close = (): void => {
      if (kind.count > linesMax) tell(kind.count - linesMax)
    }
    const timer = this.#clock.after(spanMs, () => {
      this.#kinds.delete(name)
      close()
    })
    const kind: Kind = { count: 0, timer, close }
    this.#kinds.set(name, kind)
    return kind
  }
}
