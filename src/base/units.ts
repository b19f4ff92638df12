/** Amounts with units as people write them: `10MiB`, `2s`, `10MiB/s`, `3/s`. Bare numbers are refused, since a unit forgotten is a factor of a million. */

const byteUnits: ReadonlyMap<string, number> = new Map([
  ['B', 1],
  ['kB', 1e3],
  ['MB', 1e6],
  ['GB', 1e9],
  ['TB', 1e12],
  ['KiB', 2 ** 10],
  ['MiB', 2 ** 20],
  ['GiB', 2 ** 30],
  ['TiB', 2 ** 40],
])
const bitUnits: ReadonlyMap<string, number> = new Map([
  ['kbit', 1e3 / 8],
  ['Mbit', 1e6 / 8],
  ['Gbit', 1e9 / 8],
])
const timeUnitsMs: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['min', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
  ['w', 604_800_000],
  ['y', 31_557_600_000],
])

function parseAmount(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text.trim())
  const unit = match?.[2] === undefined ? undefined : units.get(match[2])
  if (match?.[1] === undefined || unit === undefined) return undefined
  const amount = Number(match[1]) * unit
  return Number.isSafeInteger(Math.round(amount)) ? Math.round(amount) : undefined
}

/** `5GiB` -> bytes; undefined where it is no size. */
export function parseBytes(text: string): number | undefined {
  return parseAmount(text, byteUnits)
}

/** `2s` -> milliseconds; undefined where it is no duration. */
export function parseDurationMs(text: string): number | undefined {
  return parseAmount(text, timeUnitsMs)
}

/** `20MiB/s`, `8Mbit/s` -> bytes per second; undefined where it is no rate of bytes. */
export function parseBytesPerSecond(text: string): number | undefined {
  const match = /^(.+)\/s$/.exec(text.trim())
  if (match?.[1] === undefined) return undefined
  const bytes = parseAmount(match[1], byteUnits) ?? parseAmount(match[1], bitUnits)
  return bytes !== undefined && bytes > 0 ? bytes : undefined
}

/** How many per how long. */
export interface Rate {
  readonly count: number
  readonly intervalMs: number
}

/** `3/s`, `600/min`, `10/200ms` -> count per interval; undefined where it is no rate. */
export function parseRate(text: string): Rate | undefined {
  const match = /^(\d+)\/(\d*)\s*([A-Za-z]+)$/.exec(text.trim())
  const unitMs = match?.[3] === undefined ? undefined : timeUnitsMs.get(match[3])
  if (match === null || unitMs === undefined) return undefined
  const rate = { count: Number(match[1]), intervalMs: Number(match[2] === '' ? 1 : match[2]) * unitMs }
  return rate.count > 0 && rate.intervalMs > 0 ? rate : undefined
}

/** `3%` as a part of one. */
export function parsePercent(text: string): number | undefined {
  const digits = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(text)?.[1]
  const percent = Number(digits)
  return digits === undefined || percent > 100 ? undefined : percent / 100
}

/** Bytes for people: `1.5 MiB`. */
export function showBytes(bytes: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  const step = bytes < 1024 ? 0 : Math.min(names.length - 1, Math.floor(Math.log2(bytes) / 10))
  const amount = bytes / 1024 ** step
  return `${step === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${names[step] ?? ''}`
}

/** A duration for people, in its largest two units: `1h 5m`, `2.5s`, `40ms`. */
export function showDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)}ms`
  if (durationMs < 60_000) return `${Number((durationMs / 1000).toFixed(1))}s`
  const units: [string, number][] = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ]
  const first = units.findIndex(([, unitMs]) => durationMs >= unitMs)
  let restMs = durationMs
  const parts: string[] = []
  for (const [name, unitMs] of units.slice(first, first + 2)) {
    const count = Math.floor(restMs / unitMs)
    restMs -= count * unitMs
    if (count > 0) parts.push(`${count}${name}`)
  }
  return parts.join(' ')
}
