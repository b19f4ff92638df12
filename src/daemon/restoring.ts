/** What may be had back from which target, and in which order targets are asked. Reads through shelves; writes nothing. */
import type { Readable } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import type { Config, TargetConfig } from '../config/config.ts'
import { AskError, type RestoreDesk } from '../control/control.ts'
import type { Journal } from '../journal/journal.ts'
import { restorables, type CopyAt } from '../restore/restore.ts'
import type { LiveTarget } from './desk.ts'
import type { DaemonOptions } from './options.ts'
import { isKnownIn, openShelves, type Shelves } from './shelves.ts'

export interface RestoreParts {
  readonly config: () => Config
  readonly shelves: Shelves
  /** undefined where there is none. */
  readonly journal: Journal | undefined
  readonly clock: Clock
  /** What is live of a target; undefined where no daemon runs. */
  readonly target: (name: string) => Pick<LiveTarget, 'state' | 'bytesPerSecond'> | undefined
}

/** All targets, unless one is called so. */
const all = 'best'

export function restoreDesk(parts: RestoreParts): RestoreDesk {
  return {
    restorable(wish, signal) {
      const { config, journal, shelves, clock } = parts
      const { sources, node } = config()
      const names = sources.map(({ name }) => name)
      refuseUnknown(wish.source, names, journal)
      const isAll = wish.from === all && !shelves.configs().some(({ name }) => name === all)
      const targets = isAll ? bestFirst(parts) : shelves.configs([wish.from])
      const isKnown = (target: TargetConfig): boolean => journal !== undefined && isKnownIn(journal, target)
      const take = (name: string, given: AbortSignal): ReturnType<Shelves['take']> => shelves.take(name, given)
      return restorables({ targets, journal, isKnown, take, sources: names, host: node.id, clock }, wish, signal)
    },
    readCopy: (copy, start, signal) => read(parts.shelves, copy, start, signal),
  }
}

/** A source that left the configuration may still have copies. */
function refuseUnknown(source: string | null, names: readonly string[], journal: Journal | undefined): void {
  if (source === null || names.includes(source) || journal?.fileCounts().has(source) === true) return
  throw new AskError(`no source is named "${source}"; there are: ${names.join(', ')}`)
}

/** Healthy ones first, of these directories, then what was seen to be fast. */
function bestFirst({ shelves, target }: RestoreParts): readonly TargetConfig[] {
  const rank = ({ name, kind }: TargetConfig): readonly number[] => {
    const live = target(name)
    return [live?.state === 'running' ? 0 : 1, kind === 'directory' ? 0 : 1, -(live?.bytesPerSecond ?? 0)]
  }
  return [...shelves.configs()].sort((one, other) => {
    const ranks = rank(other)
    return rank(one).reduce((found, value, at) => (found === 0 ? value - (ranks[at] ?? 0) : found), 0)
  })
}

/** The shelf is given back when the content was read, or is no longer wanted. */
async function read(
  shelves: Shelves,
  { target, entry }: CopyAt,
  start: number,
  signal: AbortSignal,
): Promise<Readable> {
  const shelf = await shelves.take(target, signal)
  try {
    const content = await shelf.target.get(entry, { start }, signal)
    content.once('close', () => shelf.release())
    return content
  } catch (thrown) {
    shelf.release()
    throw thrown
  }
}

/** Restoring without a daemon. @throws OwnerError when another process uses the state directory. */
export function openRestore(config: Config, options: DaemonOptions): { desk: RestoreDesk; close(): Promise<void> } {
  const own = openShelves(config, options)
  const { shelves, journal } = own
  const { clock } = options
  const desk = restoreDesk({ config: () => config, shelves, journal, clock, target: () => undefined })
  return { desk, close: () => own.close() }
}
