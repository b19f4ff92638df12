/** Options as callers give them, checked at once: every fault is thrown where it was written, naming option, expected and given. */

/** @throws TypeError on a word that is not among `known`: a misspelt option would be silently without effect. */
export function checkKnown(what: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).filter((word) => !known.includes(word))
  if (unknown.length > 0)
    throw new TypeError(`${what}: expected options ${known.join(', ')}, got ${unknown.join(', ')}`)
}

/** A whole number from `least` to `most`. */
export function parseCount(option: string, value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  throw new TypeError(`${option}: expected a whole number ${range}, got ${show(value)}`)
}

/** A whole number from 0 on, or no bound at all. */
export function parseCountOrInfinity(option: string, value: unknown): number {
  if (value === Infinity) return Infinity
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new TypeError(`${option}: expected a whole number of at least 0, or Infinity, got ${show(value)}`)
}

export function parseWord<W extends string>(option: string, value: unknown, words: readonly W[]): W {
  const word = words.find((known) => known === value)
  if (word !== undefined) return word
  throw new TypeError(`${option}: expected ${words.join(' or ')}, got ${show(value)}`)
}

export function checkFunction(option: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`${option}: expected a function, got ${show(value)}`)
}

/** @throws TypeError where something else than a function stands in one of these options. */
export function checkFunctions(options: Readonly<Record<string, unknown>>): void {
  for (const [option, value] of Object.entries(options)) if (value !== undefined) checkFunction(option, value)
}

export function checkEvents(where: string, events: unknown): void {
  if (!Array.isArray(events)) throw new TypeError(`${where}: expected an array of events, got ${typeof events}`)
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
