import { expect, test } from 'vitest'
import {
  parseBytes,
  parseBytesPerSecond,
  parseDurationMs,
  parseRate,
  showBytes,
  showDuration,
} from '../../src/base/units.ts'

test.each([
  ['1B', 1],
  ['4KiB', 4096],
  ['5GiB', 5 * 2 ** 30],
  ['1.5 MB', 1_500_000],
  ['10', undefined],
  ['10MiB/s', undefined],
  ['4kb', undefined],
  ['-1B', undefined],
  ['99999999TiB', undefined],
])('F97: size %s', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes)
})

test.each([
  ['2s', 2000],
  ['150ms', 150],
  ['1h', 3_600_000],
  ['30min', 1_800_000],
  ['10y', 315_576_000_000],
  ['2', undefined],
  ['2 seconds', undefined],
])('F97: duration %s', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms)
})

test.each([
  ['20MiB/s', 20 * 2 ** 20],
  ['8Mbit/s', 1_000_000],
  ['20MiB', undefined],
  ['0B/s', undefined],
])('F97: bandwidth %s', (text, bytes) => {
  expect(parseBytesPerSecond(text)).toBe(bytes)
})

test.each([
  ['3/s', { count: 3, intervalMs: 1000 }],
  ['600/min', { count: 600, intervalMs: 60_000 }],
  ['10/200ms', { count: 10, intervalMs: 200 }],
  ['0/s', undefined],
  ['3', undefined],
])('rate %s', (text, rate) => {
  expect(parseRate(text)).toEqual(rate)
})

test('amounts for people', () => {
  expect([0, 1023, 1536, 2 ** 20, 123.4 * 2 ** 30].map(showBytes)).toEqual([
    '0 B',
    '1023 B',
    '1.5 KiB',
    '1.0 MiB',
    '123 GiB',
  ])
  expect([40, 2500, 61_000, 3_900_000, 90_000_000].map(showDuration)).toEqual([
    '40ms',
    '2.5s',
    '1m 1s',
    '1h 5m',
    '1d 1h',
  ])
})
