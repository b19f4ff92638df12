/** Selectors: which files a target takes. One language with the sources' ignore rules: gitignore's, plus size, age and source. */
import ignore, { type Ignore } from 'ignore'
import type { Clock } from '../base/clock.ts'
import { showPath } from '../base/path.ts'
import { showBytes, showDuration } from '../base/units.ts'
import type { Select } from '../config/config.ts'
import type { Facts } from '../journal/journal.ts'

export interface SelectorVerdict {
  readonly takes: boolean
  /** The rule that decided, in words. */
  readonly rule: string
}

export type Selector = (facts: Facts) => SelectorVerdict

/** The matcher remembers every path it was asked; after so many it is made anew, which bounds it to a few MiB. */
const pathsRemembered = 10_000

/** Matches paths against gitignore patterns and says which pattern decided. */
export function pathRules(patterns: readonly string[]): (path: string) => string | undefined {
  const fresh = (): Ignore => ignore({ allowRelativePaths: true }).add([...patterns])
  let rules = fresh()
  let asked = 0
  return (path) => {
    if (++asked % pathsRemembered === 0) rules = fresh()
    const { ignored, rule } = rules.test(path)
    return ignored ? (rule?.pattern ?? patterns.join(' ')) : undefined
  }
}

const taken = (rule: string): SelectorVerdict => ({ takes: true, rule })
const left = (rule: string): SelectorVerdict => ({ takes: false, rule })

/** Compiles a target's selector. A file has to meet every line of it. */
export function selector(select: Select, clock: Clock): Selector {
  const included = select.include.length === 0 ? undefined : pathRules(select.include)
  const excluded = select.exclude.length === 0 ? undefined : pathRules(select.exclude)
  return ({ source, path, size, mtimeNs }) => {
    if (select.sources?.includes(source) === false) return left(`sources: ${select.sources.join(', ')}`)
    if (size < select.sizeMin) return left(`min-size: ${showBytes(select.sizeMin)}`)
    if (select.sizeMax !== undefined && size > select.sizeMax) return left(`max-size: ${showBytes(select.sizeMax)}`)
    if (select.newerThanMs !== undefined && clock.wallMs() - Number(mtimeNs / 1_000_000n) > select.newerThanMs) {
      return left(`newer-than: ${showDuration(select.newerThanMs)}`)
    }
    const exclusion = excluded?.(path)
    if (exclusion !== undefined) return left(`exclude: ${exclusion}`)
    const inclusion = included?.(path)
    if (included !== undefined && inclusion === undefined)
      return left(`include: none of ${select.include.join(' ')} matches ${showPath(path)}`)
    return taken(inclusion === undefined ? 'everything' : `include: ${inclusion}`)
  }
}
