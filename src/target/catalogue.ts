/** Which code stands behind each kind of target: one line per kind. */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { TargetConfig } from '../config/config.ts'
import { directoryTarget } from './directory/directory.ts'
import type { Target } from './target.ts'

/** What every kind is built with. */
export interface TargetParts {
  readonly log: Log
  readonly clock: Clock
}

const kinds: { readonly [K in TargetConfig['kind']]: (config: TargetConfig, parts: TargetParts) => Target } = {
  directory: ({ name, path }, parts) => directoryTarget({ name, root: path, ...parts }),
}

/** Kinds whose work ends at a disk: more at once never makes it time out, so the configured concurrency is used as it is. */
const fixedSlotKinds: ReadonlySet<string> = new Set<TargetConfig['kind']>(['directory'])

/** Whether a lane finds out for itself how many deliveries at once are worth it, up to the configured concurrency. */
export function hasAdaptiveSlots(kind: string): boolean {
  return !fixedSlotKinds.has(kind)
}

/** The target a configuration asks for. It touches nothing before its own `open`. */
export function openTarget(config: TargetConfig, parts: TargetParts): Target {
  return kinds[config.kind](config, parts)
}
