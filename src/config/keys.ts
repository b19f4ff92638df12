/** Pieces of which the configuration's keys are made: texts and amounts that say what they expected. Knows no key. */
import { z } from 'zod'
import { parseDurationMs } from '../base/units.ts'

/** An error says what was expected; what came and where is added by the reader of the issue. */
export function expected(what: string): { error: () => string } {
  return { error: () => `expected ${what}` }
}

/** A block in which an unknown key is an error; for that one the message carries the known keys. */
export function block<S extends z.core.$ZodShape>(shape: S): z.ZodObject<S, z.core.$strict> {
  const known = Object.keys(shape).join(' ')
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? known : 'expected a block of keys'),
  })
}

/** A text that `parse` turns into a value within bounds. */
export function amount<T>(
  what: string,
  parse: (text: string) => T | undefined,
  isWithin: (value: T) => boolean = () => true,
) {
  return z.string(expected(what)).transform((text, context): T => {
    const value = parse(text)
    if (value !== undefined && isWithin(value)) return value
    context.issues.push({ code: 'custom', message: `expected ${what}`, input: text })
    return z.NEVER
  })
}

export function list<T extends z.ZodType>(item: T, countMax: number, what = 'a list, such as ["a", "b"]') {
  return z.array(item, expected(what)).max(countMax, expected(`at most ${countMax} entries`))
}

/** A text under a rule that answers what is wrong with it, in words. */
export function ruled(what: string, faultOf: (text: string) => string | undefined) {
  return z.string(expected(what)).superRefine((text, context) => {
    const fault = faultOf(text)
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault, input: text })
  })
}

export const pathText = (what: string) =>
  ruled(what, (text) => {
    if (text === '' || text.includes('\0')) return `expected ${what}`
    if (/^~(\/|$)/.test(text)) return '"~" is not expanded here; write the whole path'
    if (/^\$/.test(text)) return 'variables are not expanded here; write the whole path'
    return undefined
  })

export const duration = (what: string, leastMs: number, mostMs: number) =>
  amount(what, parseDurationMs, (ms) => ms >= leastMs && ms <= mostMs)
