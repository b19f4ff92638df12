/** Signals of the process: the first asks to stop in order, the second ends at once. */

/** The shell's numbers for "ended by this signal". */
const endedBy = { SIGINT: 130, SIGTERM: 143 } as const

export interface Interrupt {
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  /** Resolves with the first signal's name. */
  readonly asked: Promise<'SIGINT' | 'SIGTERM'>
  /** Gives the signals back. */
  close(): void
}

export function onInterrupt(): Interrupt {
  const stop = new AbortController()
  const names = ['SIGINT', 'SIGTERM'] as const
  let resolve: (name: 'SIGINT' | 'SIGTERM') => void = () => {}
  const asked = new Promise<'SIGINT' | 'SIGTERM'>((settle) => (resolve = settle))
  const listeners = names.map((name) => {
    const listener = (): void => {
      if (stop.signal.aborted) process.exit(endedBy[name])
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
export async function interruptible<T>(work: (interrupt: Interrupt) => Promise<T>): Promise<T> {
  const interrupt = onInterrupt()
  try {
    return await work(interrupt)
  } finally {
    interrupt.close()
  }
}
