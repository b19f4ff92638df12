/** Local time around the changes to and from summer time, in zones that are named in each case. */
import { afterEach, describe, expect, test } from 'vitest'
import {
  isWithin,
  localDay,
  msUntilNextDay,
  msUntilWithin,
  parseHours,
  showHours,
  showLocalMinute,
  type Hours,
} from '../../src/base/local-time.ts'

const hourMs = 3_600_000
const zone = process.env['TZ']

afterEach(() => {
  if (zone === undefined) delete process.env['TZ']
  else process.env['TZ'] = zone
})

function hours(text: string): Hours {
  const parsed = parseHours(text)
  if (parsed === undefined) throw new Error(`not hours: ${text}`)
  return parsed
}

/** The instant of `2026-03-29T01:30:00+01:00`, with local time in that zone from here on. */
function at(instant: string, name = 'Europe/Berlin'): number {
  process.env['TZ'] = name
  return Date.parse(instant)
}

describe('hours as people write them', () => {
  test.each(['22:00-06:00', '00:00-24:00', '22:00-06:00, 12:00-13:30'])('%s', (text) => {
    expect(showHours(hours(text))).toBe(text)
  })

  test.each([
    '',
    '22-6',
    '22:00',
    '24:00-06:00',
    '22:60-06:00',
    '08:00-08:00',
    '22:00-06:00,',
    '22:00-24:01',
    '6:00-7:00',
  ])('"%s" is refused', (text) => {
    expect(parseHours(text)).toBeUndefined()
  })
})

test('a part that wraps midnight holds on both sides of it, its last minute excluded', () => {
  const times = ['21:59:59', '22:00:00', '23:59:59', '00:00:00', '05:59:59', '06:00:00']

  const within = times.map((time) => isWithin(hours('22:00-06:00'), at(`2026-11-20T${time}+01:00`)))

  expect(within).toEqual([false, true, true, true, true, false])
})

test('the wait leads to the next part of the day, to the millisecond', () => {
  expect(msUntilWithin(hours('22:00-06:00'), at('2026-11-20T21:59:59.750+01:00'))).toBe(250)
  expect(msUntilWithin(hours('09:00-10:00, 12:00-13:00'), at('2026-11-20T11:00:00+01:00'))).toBe(hourMs)
  expect(msUntilWithin(hours('22:00-06:00'), at('2026-11-20T23:00:00+01:00'))).toBe(0)
})

test('the night of the change to summer time is an hour shorter, that of the change back an hour longer', () => {
  const day = hours('08:00-20:00')

  expect(msUntilWithin(day, at('2026-03-28T20:00:00+01:00'))).toBe(11 * hourMs)
  expect(msUntilWithin(day, at('2026-10-24T20:00:00+02:00'))).toBe(13 * hourMs)
})

test('hours that begin in the hour that is left out begin when the clock is past it', () => {
  expect(msUntilWithin(hours('02:30-06:00'), at('2026-03-29T01:59:00+01:00'))).toBe(60_000)
})

test('hours that lie in the hour that is left out come again the next day', () => {
  const wait = msUntilWithin(hours('02:10-02:50'), at('2026-03-29T01:00:00+01:00'))

  expect(wait).toBe(24 * hourMs + 10 * 60_000)
})

test('hours that lie in the hour that comes twice come twice', () => {
  const part = hours('02:00-03:00')

  expect(isWithin(part, at('2026-10-25T02:30:00+02:00'))).toBe(true)
  expect(isWithin(part, at('2026-10-25T02:30:00+01:00'))).toBe(true)
  expect(isWithin(part, at('2026-10-25T03:00:00+01:00'))).toBe(false)
})

test('a day lasts from local midnight to local midnight, 23 or 25 hours too', () => {
  expect(localDay(at('2026-11-20T23:59:59.999+01:00'))).toBe('2026-11-20')
  expect(localDay(at('2026-11-21T00:00:00+01:00'))).toBe('2026-11-21')
  expect(msUntilNextDay(at('2026-03-29T00:00:00+01:00'))).toBe(23 * hourMs)
  expect(msUntilNextDay(at('2026-10-25T00:00:00+02:00'))).toBe(25 * hourMs)
})

test('a day without a midnight begins when its clock does', () => {
  const evening = at('2026-09-05T23:00:00-04:00', 'America/Santiago')

  expect(msUntilNextDay(evening)).toBe(hourMs)
  expect(localDay(evening + hourMs)).toBe('2026-09-06')
})

test('an instant is shown to the nearest minute', () => {
  expect(showLocalMinute(at('2026-11-20T21:59:40+01:00'))).toBe('2026-11-20 22:00')
})
