/** A real terminal (tmux), to type into and to read from. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { randomName } from '../../src/base/random.ts'

const run = promisify(execFile)

export interface Terminal {
  /** Types keys as tmux names them: `C-c`. */
  press(keys: string): Promise<void>
  /** What stands on the screen now. */
  screen(): Promise<string>
  /** Waits until the screen matches. @throws the last screen. */
  until(pattern: RegExp, withinMs: number): Promise<string>
  untilTrue(isThere: () => boolean | Promise<boolean>, withinMs: number): Promise<void>
}

/** Runs `command` in a terminal of 110 x 45, in a tmux of its own that ends with the test. */
export async function aTerminal(command: string): Promise<Terminal> {
  const socket = `fanfold-${randomName(4)}`
  const tmux = (...words: string[]): Promise<{ stdout: string }> =>
    run('tmux', ['-L', socket, '-f', '/dev/null', ...words])
  await tmux('new-session', '-d', '-x', '110', '-y', '45', '-s', 'test', 'sh')
  onTestFinished(async () => {
    await tmux('kill-server')
  })
  await tmux('send-keys', '-t', 'test', command, 'Enter')
  const terminal: Terminal = {
    press: async (keys) => {
      await tmux('send-keys', '-t', 'test', keys)
    },
    screen: async () => (await tmux('capture-pane', '-p', '-t', 'test')).stdout,
    until: async (pattern, withinMs) => {
      let last = ''
      await terminal.untilTrue(async () => {
        last = await terminal.screen()
        return pattern.test(last.replace(command, ''))
      }, withinMs)
      return last
    },
    untilTrue: async (isThere, withinMs) => {
      const deadline = performance.now() + withinMs
      while (!(await isThere())) {
        if (performance.now() > deadline) throw new Error(`not so within ${withinMs} ms:\n${await terminal.screen()}`)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    },
  }
  return terminal
}
