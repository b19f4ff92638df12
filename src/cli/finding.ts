/** What the doctor's checks look at, and what they find. */
import type { Config } from '../config/config.ts'
import type { UnitPlace } from './unit.ts'

export interface Patient {
  readonly config: Config
  readonly place: UnitPlace
}

export interface Finding {
  /** What was looked at. */
  readonly check: string
  /** `warn`: works now, and will not for long, or not as well as it could. `bad`: does not work. */
  readonly state: 'good' | 'warn' | 'bad'
  readonly finding: string
  /** What to do, as a command where there is one; null where nothing is to be done. */
  readonly fix: string | null
}

export function good(check: string, finding: string): Finding {
  return { check, state: 'good', finding, fix: null }
}

export function warn(check: string, finding: string, fix: string): Finding {
  return { check, state: 'warn', finding, fix }
}

export function bad(check: string, finding: string, fix: string): Finding {
  return { check, state: 'bad', finding, fix }
}
