/**
 * Speaks to the service manager that started this process: sd_notify over a datagram socket, without a helper process. Without
 * NOTIFY_SOCKET it says nothing. Judges nothing: when what is said belongs to the announcer. Source: sd_notify(3).
 */
import { kernelMonotonicUs, type Clock, type Timer } from '../base/clock.ts'
import { asError, errnoOf } from '../base/errors.ts'
import { closeFd, openDatagramSocket, sendDatagram } from '../base/libc.ts'
import type { Log } from '../base/log.ts'

/** Pause before a manager whose queue was full is tried again, ms. */
const retryMs = 100
/** Messages kept for a manager that does not read; past it the oldest goes. */
const unsentMax = 20
/** What sun_path holds, its final zero included. Unit: bytes. */
const addressBytesMax = 108

export interface Notifier {
  /** How long the manager waits for a sign of life; undefined where it waits for none. Unit: ms. */
  readonly watchdogMs: number | undefined
  /** The start, or a reload, is complete. */
  ready(status: string): void
  /** One line for `systemctl status`. */
  status(text: string): void
  /** A reload begins; `ready` ends it. */
  reloading(): void
  stopping(status: string): void
  /** The start or the stop goes on and may take this long from now, ms. */
  extend(ms: number): void
  /** The sign of life. */
  alive(): void
  close(): void
}

const silent: Notifier = {
  watchdogMs: undefined,
  ready: () => {},
  status: () => {},
  reloading: () => {},
  stopping: () => {},
  extend: () => {},
  alive: () => {},
  close: () => {},
}

export function openNotifier(environment: NodeJS.ProcessEnv, { clock, log }: { clock: Clock; log: Log }): Notifier {
  const socket = environment['NOTIFY_SOCKET']
  if (socket === undefined || socket === '') return silent
  const address = addressOf(socket)
  if (address === undefined) {
    log.warn('notify socket unusable', { reason: `expected a path or an abstract name, got ${socket}` })
    return silent
  }
  const line = new Datagrams(address, clock, log)
  return {
    watchdogMs: watchdogMs(environment, process.pid),
    ready: (status) => line.say('READY=1', `STATUS=${oneLine(status)}`),
    status: (text) => line.say(`STATUS=${oneLine(text)}`),
    reloading: () => line.say('RELOADING=1', `MONOTONIC_USEC=${kernelMonotonicUs()}`),
    stopping: (status) => line.say('STOPPING=1', `STATUS=${oneLine(status)}`),
    extend: (ms) => line.say(`EXTEND_TIMEOUT_USEC=${Math.round(ms * 1000)}`),
    alive: () => line.say('WATCHDOG=1'),
    close: () => line.close(),
  }
}

/** The bytes of sun_path; undefined for what is no Unix socket (`vsock:`). */
function addressOf(socket: string): Buffer | undefined {
  const isAbstract = socket.startsWith('@')
  if (!isAbstract && !socket.startsWith('/')) return undefined
  const address = isAbstract ? Buffer.from(`\0${socket.slice(1)}`) : Buffer.from(`${socket}\0`)
  return address.length <= addressBytesMax ? address : undefined
}

/** WATCHDOG_PID names another process where the variables were inherited. */
export function watchdogMs(environment: NodeJS.ProcessEnv, pid: number): number | undefined {
  const usec = Number(environment['WATCHDOG_USEC'])
  if (!Number.isSafeInteger(usec) || usec <= 0) return undefined
  const meant = environment['WATCHDOG_PID']
  return meant === undefined || meant === '' || Number(meant) === pid ? usec / 1000 : undefined
}

/** A line break would begin another variable. */
function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f]+/g, ' ')
}

/** Datagrams in their order; what the manager's full queue refused is said a moment later. */
class Datagrams {
  readonly #address: Buffer
  readonly #clock: Clock
  readonly #log: Log
  readonly #fd: number
  #unsent: Buffer[] = []
  #timer: Timer | undefined
  #isFailed = false

  constructor(address: Buffer, clock: Clock, log: Log) {
    this.#address = address
    this.#clock = clock
    this.#log = log
    this.#fd = openDatagramSocket()
  }

  say(...variables: readonly string[]): void {
    this.#unsent = [...this.#unsent.slice(1 - unsentMax), Buffer.from(variables.join('\n'))]
    this.#send()
  }

  close(): void {
    this.#timer?.clear()
    closeFd(this.#fd)
  }

  #send(): void {
    this.#timer?.clear()
    for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
      if (!this.#sent(next)) return
      this.#unsent.shift()
    }
  }

  /** False where it is to be tried again. A manager that is gone is told nothing, and said once. */
  #sent(datagram: Buffer): boolean {
    try {
      sendDatagram(this.#fd, datagram, this.#address)
      this.#isFailed = false
    } catch (thrown) {
      if (errnoOf(thrown) === 'EAGAIN') {
        this.#timer = this.#clock.after(retryMs, () => this.#send())
        return false
      }
      if (!this.#isFailed) this.#log.warn('service manager not reached', { error: asError(thrown).message })
      this.#isFailed = true
    }
    return true
  }
}
