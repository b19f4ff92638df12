/** Verifies targets that a shelf lends, one after the other, for the desk and for the audit; keeps what came of it. Compares nothing itself. */
import type { Clock } from '../base/clock.ts'
import { asError, FanfoldError } from '../base/errors.ts'
import { showPath } from '../base/path.ts'
import type { Config, TargetConfig } from '../config/config.ts'
import { AskError, type VerifyEvent, type VerifyRequest } from '../control/control.ts'
import type { Holding, Journal } from '../journal/journal.ts'
import { laneOrder, ownFolder, verification, type Finding, type Tally } from '../pipeline/pipeline.ts'
import type { Shelves } from './shelves.ts'

export interface VerifyParts {
  readonly config: () => Config
  readonly journal: Journal
  readonly clock: Clock
  readonly shelves: Pick<Shelves, 'configs' | 'take'>
  /** Something is owed to a target that was not before. */
  readonly onOwed: (target: string) => void
}

/** One target's part of a request. */
export interface VerifyOrder extends Pick<VerifyRequest, 'source' | 'glob' | 'repair'> {
  readonly reads: (holding: Holding) => boolean
}

export async function* verifyTargets(
  request: VerifyRequest,
  parts: VerifyParts,
  signal: AbortSignal,
): AsyncGenerator<VerifyEvent, void, undefined> {
  const { source, glob, repair, download } = request
  const known = parts.config().sources.map(({ name }) => name)
  if (source !== null && !known.includes(source))
    throw new AskError(`no source is named "${source}"; there are: ${known.join(', ')}`)
  for (const config of parts.shelves.configs(request.targets)) {
    const order = { source, glob, repair, reads: () => download }
    try {
      for await (const finding of verifyTarget(config, order, parts, signal)) yield eventOf(config.name, finding)
    } catch (thrown) {
      // What one target cannot tell is no reason to leave the others out; what is wrong in this program is.
      if (signal.aborted || !(thrown instanceof FanfoldError)) throw thrown
      yield { kind: 'failed', target: config.name, reason: asError(thrown).message }
    }
  }
}

/** @throws TargetError where the target cannot be asked. */
export async function* verifyTarget(
  config: TargetConfig,
  order: VerifyOrder,
  parts: VerifyParts,
  signal: AbortSignal,
): AsyncGenerator<Finding, void, undefined> {
  const { journal, clock, shelves } = parts
  const { name } = config
  const shelf = await shelves.take(name, signal)
  try {
    const { target } = shelf
    const host = parts.config().node.id
    const folder = ownFolder(config.at, host)
    const onOwed = (): void => parts.onOwed(name)
    const given = { journal, clock, name, target, order: laneOrder(config, { clock, host }), folder, onOwed }
    for await (const finding of verification(order, given, signal)) {
      if (finding.kind === 'tally') conclude(name, finding.tally, order, parts)
      yield finding
    }
  } finally {
    shelf.release()
  }
}

/** Of extra objects nobody's copy is worse. */
export function differencesOf({ counts }: Tally): number {
  return counts.missing + counts.different + counts.renamed
}

function conclude(name: string, tally: Tally, { source, glob }: VerifyOrder, { journal, clock }: VerifyParts): void {
  const differences = differencesOf(tally)
  const open = differences - tally.repaired
  if (source === null && glob === null) {
    const atMs = clock.wallMs()
    journal.holdings.keepCheck(name, { atMs, checked: tally.checked, differences: open })
  }
  const words = `${tally.checked} copies compared: ${differences} not as delivered, ${tally.repaired} owed again`
  journal.note({ source: null, target: name, event: 'verified', detail: words })
}

function eventOf(target: string, finding: Finding): VerifyEvent {
  if (finding.kind === 'progress') return { ...finding, target }
  if (finding.kind === 'tally') return { kind: 'done', target, tally: finding.tally }
  const { path, at, foundAt, detail, ...facts } = finding.difference
  const shown = (text: string | null): string | null => (text === null ? null : showPath(text))
  const texts = { path: shown(path), at: showPath(at), foundAt: shown(foundAt), detail: showPath(detail) }
  return { kind: 'difference', target, difference: { ...facts, ...texts } }
}
