/**
 * Local days and hours of the machine's time zone. Everything is read off the local clock face at one instant, never added up, so
 * that days of 23 and 25 hours need no rule of their own. Knows no clock: the instant is handed in.
 */

/** A part of each local day, from its first minute up to but without its last; one that ends before it begins wraps midnight. */
export interface DayPart {
  /** Minutes since midnight, 0..1439. */
  readonly fromMinute: number
  /** Minutes since midnight, 0..1440. */
  readonly toMinute: number
}

/** One or more parts of the day. */
export type Hours = readonly DayPart[]

const minuteMs = 60_000
const minutesOfDay = 1440
/** More parts than hours are no plan that a person wrote. */
const partsMax = 24
/** A part that the change to summer time swallows comes again a day later: after so long a look there is none. Unit: minutes. */
const lookAheadMinutes = 3 * minutesOfDay

/** `22:00-06:00` or `22:00-06:00, 12:00-13:00` -> parts of the day; undefined where it is none. */
export function parseHours(text: string): Hours | undefined {
  const parts = text.split(',').map(parseDayPart)
  const known = parts.filter((part) => part !== undefined)
  return known.length === parts.length && known.length <= partsMax ? known : undefined
}

function parseDayPart(text: string): DayPart | undefined {
  const match = /^(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)$/.exec(text.trim())
  if (match === null) return undefined
  const [fromHour = 0, fromRest = 0, toHour = 0, toRest = 0] = match.slice(1).map(Number)
  const part = { fromMinute: fromHour * 60 + fromRest, toMinute: toHour * 60 + toRest }
  const isClockFace = fromRest < 60 && toRest < 60 && part.fromMinute < minutesOfDay && part.toMinute <= minutesOfDay
  // From eight to eight may mean always or never: whoever writes it has to say which.
  return isClockFace && part.fromMinute !== part.toMinute ? part : undefined
}

/** As it was written: `22:00-06:00`. */
export function showHours(hours: Hours): string {
  return hours.map(({ fromMinute, toMinute }) => `${clockFace(fromMinute)}-${clockFace(toMinute)}`).join(', ')
}

function clockFace(minute: number): string {
  return `${twoDigits(Math.floor(minute / 60))}:${twoDigits(minute % 60)}`
}

function twoDigits(count: number): string {
  return String(count).padStart(2, '0')
}

export function isWithin(hours: Hours, wallMs: number): boolean {
  const at = new Date(wallMs)
  const minute = at.getHours() * 60 + at.getMinutes()
  return hours.some(({ fromMinute, toMinute }) =>
    fromMinute < toMinute ? minute >= fromMinute && minute < toMinute : minute >= fromMinute || minute < toMinute,
  )
}

/** How long until the hours begin; 0 within them. Looked for minute by minute, since a change of the clocks may lie in between. */
export function msUntilWithin(hours: Hours, wallMs: number): number {
  if (isWithin(hours, wallMs)) return 0
  const firstMs = wallMs - (wallMs % minuteMs)
  for (let minute = 1; minute < lookAheadMinutes; minute++) {
    const atMs = firstMs + minute * minuteMs
    if (isWithin(hours, atMs)) return atMs - wallMs
  }
  return lookAheadMinutes * minuteMs
}

/** `2026-11-20`: sorts as time goes. */
export function localDay(wallMs: number): string {
  const at = new Date(wallMs)
  return `${at.getFullYear()}-${twoDigits(at.getMonth() + 1)}-${twoDigits(at.getDate())}`
}

/** `2026-11`: sorts as time goes. */
export function localMonth(wallMs: number): string {
  return localDay(wallMs).slice(0, 7)
}

export function msUntilNextMonth(wallMs: number): number {
  const at = new Date(wallMs)
  return Math.max(1, new Date(at.getFullYear(), at.getMonth() + 1, 1).getTime() - wallMs)
}

export function msUntilNextDay(wallMs: number): number {
  const at = new Date(wallMs)
  return Math.max(1, new Date(at.getFullYear(), at.getMonth(), at.getDate() + 1).getTime() - wallMs)
}

/** `2026-11-20 22:00`, to the nearest minute. */
export function showLocalMinute(wallMs: number): string {
  const nearestMs = Math.round(wallMs / minuteMs) * minuteMs
  const at = new Date(nearestMs)
  return `${localDay(nearestMs)} ${clockFace(at.getHours() * 60 + at.getMinutes())}`
}
