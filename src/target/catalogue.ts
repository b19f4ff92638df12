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

/** The target a configuration asks for. It touches nothing before its own `open`. */
export function openTarget(config: TargetConfig, parts: TargetParts): Target {
  return kinds[config.kind](config, parts)
}
