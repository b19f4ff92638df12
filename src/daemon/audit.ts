/**
 * The audit: compares every target with what was delivered there, every so often by itself, and reads a part of the contents back, another part
 * each time. When it was done last outlives the daemon. What is wrong is told by the status; nothing is repaired without being asked for.
 */
import { asError, FanfoldError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Tasks } from '../base/tasks.ts'
import type { TargetConfig } from '../config/config.ts'
import type { AuditRecord, Holding } from '../journal/journal.ts'
import { differencesOf, verifyTarget, type VerifyParts } from './verify.ts'

/** How often is looked whether one is due. Unit: ms. */
const lookMs = 600_000
/** One that failed is begun anew after this: its target may be slow, and a listing is not for nothing. Unit: ms. */
const againMs = 6 * 3_600_000

export interface AuditParts extends VerifyParts {
  readonly log: Log
  /** Whether the target may be used now: within its hours, not held, not paused. */
  readonly isReady: (target: string) => boolean
}

export class Audit {
  readonly #parts: AuditParts
  readonly #tasks: Tasks
  /** Monotonic. */
  readonly #notBeforeMs = new Map<string, number>()

  constructor(parts: AuditParts) {
    this.#parts = parts
    this.#tasks = new Tasks((_task, error) => parts.log.error('audit failed', { error: error.stack ?? error.message }))
  }

  start(): void {
    this.#tasks.run('audit', async (signal) => {
      for (;;) {
        for (const config of this.#parts.config().targets) await this.#lookAt(config, signal)
        await this.#parts.clock.sleep(lookMs, signal)
      }
    })
  }

  stop(): Promise<void> {
    return this.#tasks.stop()
  }

  async #lookAt(config: TargetConfig, signal: AbortSignal): Promise<void> {
    const { clock, log, isReady } = this.#parts
    const { name } = config
    if (!this.#isDue(config) || !isReady(name) || clock.monotonicMs() < (this.#notBeforeMs.get(name) ?? 0)) return
    try {
      await this.#audit(config, signal)
    } catch (thrown) {
      if (signal.aborted || !(thrown instanceof FanfoldError)) throw thrown
      this.#notBeforeMs.set(name, clock.monotonicMs() + againMs)
      log.warn('audit broken off', { target: name, reason: asError(thrown).message })
    }
  }

  /** A period begins when the target is first seen, and anew where the clock was set back behind its beginning. */
  #isDue({ name, verify: { everyMs } }: TargetConfig): boolean {
    if (everyMs === undefined) return false
    const { holdings } = this.#parts.journal
    const nowMs = this.#parts.clock.wallMs()
    const last = holdings.lastAudit(name)
    if (last !== undefined && last.fromMs <= nowMs) return nowMs - last.fromMs >= everyMs
    holdings.keepAudit(name, { fromMs: nowMs, readUpTo: last?.readUpTo ?? 0 })
    return false
  }

  async #audit(config: TargetConfig, signal: AbortSignal): Promise<void> {
    const { journal, log, clock } = this.#parts
    const { name } = config
    const reading = this.#reading(config, journal.holdings.lastAudit(name))
    const order = { source: null, glob: null, repair: false, reads: reading.reads }
    for await (const finding of verifyTarget(config, order, this.#parts, signal)) {
      if (finding.kind !== 'tally') continue
      const { checked, bytesRead } = finding.tally
      const differences = differencesOf(finding.tally)
      journal.holdings.keepAudit(name, { fromMs: clock.wallMs(), readUpTo: reading.upTo() })
      log[differences > 0 ? 'warn' : 'info']('audit', { target: name, checked, differences, bytesRead })
    }
  }

  /** Whose content is read this time: as many as the share says, behind those of the last time, and from the front where these were the last. */
  #reading(
    { name, verify: { share } }: TargetConfig,
    last: AuditRecord | undefined,
  ): { readonly reads: (holding: Holding) => boolean; readonly upTo: () => number } {
    const { journal } = this.#parts
    const most = Math.ceil(journal.counts(journal.target(name).id).delivered * share)
    const from = last?.readUpTo ?? 0
    let count = 0
    let upTo = from
    return {
      reads: ({ fileId }) => {
        if (fileId <= from || count >= most) return false
        count++
        upTo = fileId
        return true
      },
      upTo: () => (count < most ? 0 : upTo),
    }
  }
}
