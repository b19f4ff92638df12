/** Signals of the process: the first asks to stop in order, the second ends at once. */

import { systemClock } from '../base/clock.ts'

/** The shell's numbers for "ended by this signal". */
const endedBy = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const
type Ending = keyof typeof endedBy
/** One Ctrl-C may arrive twice: from the terminal, and passed on by npm. Unit: ms. */
const echoMs = 500

export interface Interrupt {
  /** Aborted by the first of them. */
  readonly signal: AbortSignal
  /** Resolves with the first signal's name. */
  readonly asked: Promise<Ending>
  /** Gives the signals back. */
  close(): void
}

/** @param names a closed terminal is told by SIGHUP: only who draws on one should end by it. */
export function onInterrupt(names: readonly Ending[] = ['SIGINT', 'SIGTERM']): Interrupt {
  const stop = new AbortController()
  let resolve: (name: Ending) => void = () => {}
  const asked = new Promise<Ending>((settle) => (resolve = settle))
  let firstMs = 0
  const listeners = names.map((name) => {
    const listener = (): void => {
      if (stop.signal.aborted && systemClock.monotonicMs() - firstMs > echoMs) process.exit(endedBy[name])
      if (stop.signal.aborted) return
      firstMs = systemClock.monotonicMs()
      stop.abort(new Error(`asked to stop by ${name}`))
      resolve(name)
    }
    process.on(name, listener)
    return { name, listener }
  })
  return {
    signal: stop.signal,
    asked,
    close() {
      for (const { name, listener } of listeners) process.off(name, listener)
    },
  }
}

/** Runs `work` under an interrupt. */
export async function interruptible<T>(
  work: (interrupt: Interrupt) => Promise<T>,
  names?: readonly Ending[],
): Promise<T> {
  const interrupt = onInterrupt(names)
  try {
    return await work(interrupt)
  } finally {
    interrupt.close()
  }
}
