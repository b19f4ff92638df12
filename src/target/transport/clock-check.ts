/** Notices that this machine's clock and a server's differ by much (F47), and says so once until they agree again. Corrects nothing. */
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { showDuration } from '../../base/units.ts'

/** Clouds refuse what is signed or dated worse than this. Unit: ms. */
const differenceMsMax = 300_000

export class ClockCheck {
  readonly #parts: { readonly name: string; readonly clock: Clock; readonly log: Log }
  #isTold = false

  constructor(parts: { readonly name: string; readonly clock: Clock; readonly log: Log }) {
    this.#parts = parts
  }

  /** @param date an answer's header. */
  look(date: unknown): void {
    const serverMs = typeof date === 'string' ? Date.parse(date) : Number.NaN
    if (Number.isNaN(serverMs)) return
    const { name, clock, log } = this.#parts
    const aheadMs = clock.wallMs() - serverMs
    const isOff = Math.abs(aheadMs) > differenceMsMax
    if (isOff && !this.#isTold) {
      const way = aheadMs > 0 ? 'ahead of' : 'behind'
      const reason = `the clock is ${showDuration(Math.abs(aheadMs))} ${way} the server's; set it (timedatectl set-ntp true)`
      log.warn('clock differs', { target: name, reason })
    }
    this.#isTold = isOff
  }
}
