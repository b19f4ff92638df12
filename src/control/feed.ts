/**
 * The live status: one look per tick, shared by all who listen, none while nobody does. A listener asks for each frame by reading; one
 * that reads slowly gets fewer frames, one that stops reading is dropped.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Status } from './desk.ts'

/** Twice a second reads as movement and costs a daemon nothing. Unit: ms. */
const tickMs = 500
/** Somebody who took nothing for 10 s is stuck; its connection and buffers are worth more. Unit: ticks. */
const missedTicksMax = 20
/** Each holds a connection and one frame. */
const listenersMax = 16

interface Listener {
  readonly controller: ReadableStreamDefaultController<Uint8Array>
  readonly cutConnection: () => void
  isWaiting: boolean
  missedTicks: number
}

export class StatusFeed {
  readonly #look: () => Status
  readonly #clock: Clock
  readonly #log: Log
  readonly #listeners = new Set<Listener>()
  #timer: Timer | undefined

  constructor(look: () => Status, clock: Clock, log: Log) {
    this.#look = look
    this.#clock = clock
    this.#log = log
  }

  get listenerCount(): number {
    return this.#listeners.size
  }

  /**
   * A stream of server-sent events, the first at once; undefined where too many listen already.
   * @param cutConnection called once when the listener is dropped: a stream's own error waits behind what nobody reads.
   */
  open(cutConnection: () => void): ReadableStream<Uint8Array> | undefined {
    if (this.#listeners.size >= listenersMax) return undefined
    let listener: Listener | undefined
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          listener = { controller, cutConnection, isWaiting: false, missedTicks: 0 }
          this.#add(listener)
          controller.enqueue(this.#frame())
        },
        pull: () => {
          if (listener !== undefined) listener.isWaiting = true
        },
        cancel: () => {
          if (listener !== undefined) this.#drop(listener)
        },
      },
      // Nothing is made ahead: a frame that waits in a buffer is old when it is read.
      { highWaterMark: 0 },
    )
  }

  /** Ends every stream. */
  close(): void {
    for (const listener of [...this.#listeners]) {
      this.#drop(listener)
      listener.controller.close()
    }
  }

  #add(listener: Listener): void {
    this.#listeners.add(listener)
    if (this.#timer === undefined) this.#wait()
  }

  #drop(listener: Listener): void {
    this.#listeners.delete(listener)
    if (this.#listeners.size > 0) return
    this.#timer?.clear()
    this.#timer = undefined
  }

  #wait(): void {
    this.#timer = this.#clock.after(tickMs, () => {
      this.#timer = undefined
      this.#tick()
      if (this.#listeners.size > 0) this.#wait()
    })
  }

  #tick(): void {
    const listeners = [...this.#listeners]
    try {
      const waiting = listeners.filter(({ isWaiting }) => isWaiting)
      const frame = waiting.length > 0 ? this.#frame() : undefined
      for (const listener of listeners) this.#serve(listener, frame)
    } catch (thrown) {
      this.#log.error('status failed', { error: asError(thrown).message })
      for (const listener of listeners) this.#cut(listener)
    }
  }

  #serve(listener: Listener, frame: Uint8Array | undefined): void {
    if (listener.isWaiting && frame !== undefined) {
      listener.isWaiting = false
      listener.missedTicks = 0
      listener.controller.enqueue(frame)
    } else if (++listener.missedTicks >= missedTicksMax) {
      this.#log.info('status listener dropped', { reason: 'it stopped reading' })
      this.#cut(listener)
    }
  }

  #cut(listener: Listener): void {
    this.#drop(listener)
    listener.cutConnection()
  }

  #frame(): Uint8Array {
    return Buffer.from(`event: status\ndata: ${JSON.stringify(this.#look())}\n\n`)
  }
}
