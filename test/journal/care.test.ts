import { statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { onTestFinished, expect, test } from 'vitest'
import { openJournal } from '../../src/journal/journal.ts'
import { aFolder, aPut } from '../builders.ts'
import { ManualClock } from '../manual-clock.ts'
import { aJournal, declared } from './rig.ts'

function aTendedJournal(): { file: string; clock: ManualClock; journal: ReturnType<typeof openJournal>['journal'] } {
  const file = join(aFolder(), 'journal.sqlite')
  const clock = new ManualClock()
  const { journal } = openJournal(file, clock)
  onTestFinished(() => journal.close())
  return { file, clock, journal }
}

/** Runs SQL beside the journal, as time would have made these rows. */
function aside(file: string, sql: string): unknown {
  const connection = new Database(file)
  try {
    const statement = connection.prepare(sql)
    return statement.reader ? statement.pluck().get() : statement.run()
  } finally {
    connection.close()
  }
}

const lines = (file: string): unknown => aside(file, 'SELECT count(*) FROM history')

test('F91: history is pruned by count: the oldest lines go, in steps, and no open work', () => {
  const { file, clock, journal } = aTendedJournal()
  const nas = journal.declareTarget('nas', declared('all')).id
  for (let n = 0; n < 25; n++)
    journal.record(
      Array.from({ length: 200 }, (_, k) => aPut(`f${n * 200 + k}`)),
      () => [nas],
    )
  aside(file, "INSERT INTO history (id, at_ms, event, detail) VALUES (1003000, 9e15, 'put', 'much later')")

  clock.advance(10_000)
  const afterOneStep = lines(file)
  clock.advance(60_000)

  expect(afterOneStep).toBe(3_001)
  expect(lines(file)).toBe(2_001)
  expect(journal.counts(nas).waiting).toBe(5_000)
})

test('F91: history is pruned by age', () => {
  const { file, clock, journal } = aTendedJournal()
  const year = 365 * 86_400_000
  journal.record([aPut('a'), aPut('b')], () => [])
  clock.setWall(clock.wallMs() + year - 60_000)
  journal.record([aPut('c')], () => [])

  clock.advance(120_000)

  expect(journal.history(null, 10).map(({ path }) => path)).toEqual(['c'])
  expect(lines(file)).toBe(1)
})

test('F91: pages that became free are given back to the disk, in steps', () => {
  const { file, clock, journal } = aTendedJournal()
  aside(
    file,
    `INSERT INTO history (at_ms, event, detail) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
     SELECT 9e15, 'put', printf('%.*c', 1000, 'x') FROM n`,
  )
  aside(file, 'PRAGMA wal_checkpoint(TRUNCATE)')
  const full = statSync(file).size
  aside(file, 'DELETE FROM history')

  clock.advance(120_000)
  aside(file, 'PRAGMA wal_checkpoint(TRUNCATE)')

  expect(full).toBeGreaterThan(30_000_000)
  expect(statSync(file).size).toBeLessThan(12_000_000)
  expect(journal.head).toBe(0)
})

test('F85: the log stays far below 64 MB while much is written', async () => {
  const rig = aJournal()
  let largest = 0
  for (let round = 0; round < 150; round++) {
    rig.journal.record(
      Array.from({ length: 200 }, (_, n) => aPut(`d${n % 50}/f${(round * 37 + n * 101) % 8_000}`, { size: round })),
      () => [rig.nas, rig.usb],
    )
    for (const delivery of rig.journal.claim(rig.nas, 5)) {
      await rig.journal.finish(delivery, { kind: 'postponed', delayMs: 1, reason: 'busy', isCounted: true })
    }
    largest = Math.max(largest, statSync(`${rig.file}-wal`).size)
  }

  expect(largest).toBeLessThan(20 * 2 ** 20)
}, 60_000)
