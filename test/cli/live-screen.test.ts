/** Drawing over oneself, as a terminal shows it in the end. */
import { expect, test } from 'vitest'
import { LiveScreen } from '../../src/cli/live-screen.ts'
import type { Terminal } from '../../src/cli/terminal.ts'

/** A terminal that understands the few codes that are used, and fails on any other. */
class SmallTerminal implements Terminal {
  readonly isLive = true
  readonly hasColour = false
  lines = ['']
  row = 0
  column = 0
  isCursorShown = true
  written = ''
  resize: () => void = () => {}

  columns(): number {
    return 40
  }
  rows(): number {
    return 10
  }
  print(line: string): void {
    this.write(`${line}\n`)
  }
  remark(): void {}
  onResize(listener: () => void): () => void {
    this.resize = listener
    return () => (this.resize = () => {})
  }

  write(text: string): void {
    this.written += text
    for (const [piece, code] of text.matchAll(/\u001b\[([?\d;]*[A-Za-z])|[^\u001b]/gu)) {
      if (code === undefined) this.#put(piece)
      else this.#obey(code)
    }
  }

  #put(character: string): void {
    if (character === '\r') this.column = 0
    else if (character === '\n') {
      this.row++
      this.column = 0
      this.lines[this.row] ??= ''
    } else {
      const line = (this.lines[this.row] ?? '').padEnd(this.column)
      this.lines[this.row] = line.slice(0, this.column) + character + line.slice(this.column + 1)
      this.column++
    }
  }

  #obey(code: string): void {
    const up = /^(\d+)A$/.exec(code)?.[1]
    if (up !== undefined) {
      this.row -= Number(up)
      if (this.row < 0) throw new Error('the cursor left the screen')
    } else if (code === 'K') this.lines[this.row] = (this.lines[this.row] ?? '').slice(0, this.column)
    else if (code === 'J') {
      this.lines.length = this.row + 1
      this.lines[this.row] = (this.lines[this.row] ?? '').slice(0, this.column)
    } else if (code === '2J') this.lines = this.lines.map(() => '')
    else if (code === 'H') this.row = this.column = 0
    else if (code === '?25l' || code === '?25h') this.isCursorShown = code === '?25h'
    else if (!['?2026h', '?2026l', '?7h', '?7l'].includes(code)) throw new Error(`unknown code ${code}`)
  }

  get shown(): string[] {
    return this.lines.slice(0, -1)
  }
}

function opened(): { terminal: SmallTerminal; screen: LiveScreen; resized: () => number } {
  const terminal = new SmallTerminal()
  terminal.print('$ fanfold')
  let resizes = 0
  const screen = new LiveScreen(terminal, () => resizes++)
  return { terminal, screen, resized: () => resizes }
}

test('each picture takes the place of the last, longer or shorter', () => {
  const { terminal, screen } = opened()

  screen.draw(['one long line', 'two', 'three'])
  screen.draw(['one', 'two'])
  screen.draw(['uno', 'due', 'tre', 'quattro'])

  expect(terminal.shown).toEqual(['$ fanfold', 'uno', 'due', 'tre', 'quattro'])
  screen.close()
})

test('an equal picture is not written again', () => {
  const { terminal, screen } = opened()
  screen.draw(['same'])
  const before = terminal.written

  screen.draw(['same'])

  expect(terminal.written).toBe(before)
  screen.close()
})

test('what is printed above stays, in order, with the picture below', () => {
  const { terminal, screen } = opened()
  screen.draw(['picture', 'of two lines'])

  screen.above('warning one\n')
  screen.above('warning two\n')
  screen.draw(['new picture'])

  expect(terminal.shown).toEqual(['$ fanfold', 'warning one', 'warning two', 'new picture'])
  screen.close()
})

test('after a resize the screen is begun anew', () => {
  const { terminal, screen, resized } = opened()
  screen.draw(['before', 'the resize'])

  terminal.resize()
  screen.draw(['after'])

  expect(resized()).toBe(1)
  expect(terminal.lines.filter((line) => line !== '')).toEqual(['after'])
  screen.close()
})

test('the cursor is hidden while it is open and shown afterwards, once', () => {
  const { terminal, screen } = opened()
  screen.draw(['picture'])
  const during = terminal.isCursorShown

  screen.close()
  const closedAt = terminal.written
  screen.close()
  screen.draw(['too late'])

  expect(during).toBe(false)
  expect(terminal.isCursorShown).toBe(true)
  expect(terminal.written).toBe(closedAt)
  expect(terminal.shown).toEqual(['$ fanfold', 'picture'])
})

test('the cursor comes back when the process ends without closing', () => {
  const { terminal, screen } = opened()
  screen.draw(['picture'])

  // What Node does at the end, to this one listener.
  const listener = process.listeners('exit').at(-1)
  listener?.call(process, 0)

  expect(terminal.isCursorShown).toBe(true)
  expect(process.listeners('exit')).not.toContain(listener)
})
