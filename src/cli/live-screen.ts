/** A picture that is drawn over itself on a terminal. Owns the cursor while it is open and gives it back however the process ends. */
import type { Terminal } from './terminal.ts'

const escape = '\u001b['
const hideCursor = `${escape}?25l`
const showCursor = `${escape}?25h`
// Terminals that know it show one update at once instead of line by line; others ignore it.
const beginUpdate = `${escape}?2026h`
const endUpdate = `${escape}?2026l`
const wrapOff = `${escape}?7l`
const wrapOn = `${escape}?7h`
const eraseLineEnd = `${escape}K`
const eraseBelow = `${escape}J`
const clearAll = `${escape}2J${escape}H`

export class LiveScreen {
  readonly #terminal: Terminal
  readonly #restore = (): void => this.close()
  readonly #stopListening: () => void
  #lines: readonly string[] = []
  #isOpen = true

  constructor(terminal: Terminal, onResize: () => void) {
    this.#terminal = terminal
    terminal.write(hideCursor)
    // An uncaught error ends the process by way of this event, too.
    process.once('exit', this.#restore)
    this.#stopListening = terminal.onResize(() => {
      // The terminal has wrapped the old lines anew, so how far up they begin is unknown.
      this.#lines = []
      terminal.write(clearAll)
      onResize()
    })
  }

  /** Puts these lines in the place of the last ones. Each has to fit the screen. */
  draw(lines: readonly string[]): void {
    if (!this.#isOpen || sameLines(lines, this.#lines)) return
    const body = lines.map((line) => `${line}${eraseLineEnd}\n`).join('')
    this.#terminal.write(`${beginUpdate}${wrapOff}${this.#toTop()}${body}${eraseBelow}${wrapOn}${endUpdate}`)
    this.#lines = lines
  }

  /** Prints a text above the picture, where it stays. */
  above(text: string): void {
    if (!this.#isOpen) return this.#terminal.write(text)
    const kept = this.#lines
    this.#terminal.write(`${beginUpdate}${this.#toTop()}${eraseBelow}${text}`)
    this.#lines = []
    this.draw(kept)
    this.#terminal.write(endUpdate)
  }

  /** Leaves the last picture standing, and the cursor below it. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    process.off('exit', this.#restore)
    this.#stopListening()
    this.#terminal.write(`${wrapOn}${endUpdate}${showCursor}`)
  }

  #toTop(): string {
    return this.#lines.length === 0 ? '' : `${escape}${this.#lines.length}A\r`
  }
}

function sameLines(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((line, at) => line === other[at])
}
