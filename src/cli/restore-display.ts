/** How far a restore is, drawn over itself on a terminal. What is restored is not its concern. */
import type { Clock } from '../base/clock.ts'
import { Tasks } from '../base/tasks.ts'
import { showBytes, showDuration } from '../base/units.ts'
import type { Tally } from '../restore/restore.ts'
import { LiveScreen } from './live-screen.ts'
import { bar, percent, renderLine, span, type Line } from './spans.ts'
import type { Terminal } from './terminal.ts'

/** Reads as movement. Unit: ms. */
const tickMs = 200
/** Speeds are of so many ticks: 5 s. */
const samplesMax = 25
const barWidth = 30

interface Sample {
  readonly atMs: number
  readonly files: number
  readonly bytes: number
}

export class RestoreDisplay {
  readonly #terminal: Terminal
  readonly #clock: Clock
  readonly #look: () => Tally
  readonly #screen: LiveScreen
  readonly #ticks = new Tasks(() => {})
  #samples: readonly Sample[] = []

  constructor(terminal: Terminal, clock: Clock, look: () => Tally) {
    this.#terminal = terminal
    this.#clock = clock
    this.#look = look
    this.#screen = new LiveScreen(terminal, () => this.#draw())
    this.#ticks.run('ticks', async (signal) => {
      for (;;) {
        this.#draw()
        await clock.sleep(tickMs, signal)
      }
    })
  }

  async close(): Promise<void> {
    await this.#ticks.stop()
    this.#draw()
    this.#screen.close()
  }

  #draw(): void {
    const tally = this.#look()
    const now = { atMs: this.#clock.monotonicMs(), files: doneOf(tally), bytes: tally.fetchedBytes }
    this.#samples = [...this.#samples, now].slice(-samplesMax)
    const lines = restoreLines(tally, this.#samples[0] ?? now, now)
    const columns = this.#terminal.columns()
    this.#screen.draw(lines.map((line) => renderLine(line, columns, this.#terminal.hasColour)))
  }
}

function doneOf({ restored, alreadyThere, skipped, failed }: Tally): number {
  return restored + alreadyThere + skipped + failed
}

/** @param before what was so some seconds ago. */
export function restoreLines(tally: Tally, before: Sample, now: Sample): Line[] {
  const { begin, restored, alreadyThere, skipped, failed } = tally
  if (begin === undefined) return [[span('restore', 'bold'), span(' · looking what is there', 'dim')]]
  const seconds = (now.atMs - before.atMs) / 1000
  const perSecond = (amount: number): number => (seconds <= 0 ? 0 : amount / seconds)
  const filesPerSecond = perSecond(now.files - before.files)
  const speed = `${filesPerSecond.toFixed(0)} files/s · ${showBytes(perSecond(now.bytes - before.bytes))}/s`
  const { files } = begin
  const left =
    files === null || filesPerSecond === 0
      ? ''
      : ` · ${showDuration(((files - now.files) / filesPerSecond) * 1000)} left`
  const counts = [`${restored} restored`, `${alreadyThere} already there`]
  if (skipped > 0) counts.push(`${skipped} skipped`)
  if (failed > 0) counts.push(`${failed} failed`)
  const picture = files === null ? '' : ` ${bar(now.files, files, barWidth)} ${percent(now.files, files)}`
  return [
    [span('restore', 'bold'), span(` from ${begin.targets.join(', ')}`), span(picture, 'accent')],
    [span(`  ${counts.join(' · ')}`, failed > 0 ? 'warn' : 'plain'), span(` · ${speed}${left}`, 'dim')],
  ]
}
