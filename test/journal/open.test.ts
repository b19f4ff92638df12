import { declared } from './rig.ts'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { openJournal } from '../../src/journal/journal.ts'
import { aFolder, aPut } from '../builders.ts'

test('the migrated schema is the one on record: a change of it shows in review', () => {
  const file = join(aFolder(), 'journal.sqlite')
  openJournal(file, systemClock).journal.close()

  const reader = new Database(file, { readonly: true })
  const statements = reader
    .prepare<[], { sql: string }>('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid')
    .all()
  reader.close()
  const schema = statements
    .map(({ sql }) => `${sql.replace(/\n {4}/g, '\n  ').replace(/\n {2}\)/g, '\n)')};\n`)
    .join('\n')

  const onRecord = new URL('schema.sql', import.meta.url)
  if (process.env['FANFOLD_SCHEMA_DUMP'] === '1') writeFileSync(onRecord, schema)
  expect(schema).toBe(readFileSync(onRecord, 'utf8'))
})

test.each([
  ['bytes in the middle overwritten', (file: string) => damage(file)],
  ['no database at all', (file: string) => writeFileSync(file, 'this is a shopping list\n'.repeat(500))],
])('F86: a damaged journal (%s) is moved aside and a fresh one begun', (_what, spoil) => {
  const file = join(aFolder(), 'journal.sqlite')
  const { journal } = openJournal(file, systemClock)
  journal.declareTarget('nas', declared('all'))
  journal.record(
    Array.from({ length: 3000 }, (_, n) => aPut(`d${n % 30}/file-with-a-name-${n}`)),
    () => [],
  )
  journal.close()
  spoil(file)
  const spoiled = readFileSync(file)

  const opened = openJournal(file, systemClock)

  expect(opened.damagedFile).toMatch(/journal\.sqlite\.damaged-\d+$/)
  expect(readFileSync(opened.damagedFile ?? '')).toEqual(spoiled)
  expect(opened.journal.head).toBe(0)
  opened.journal.close()
})

function damage(file: string): void {
  const bytes = readFileSync(file)
  bytes.fill(0xee, 8192, bytes.length - 8192)
  writeFileSync(file, bytes)
}

test('F90: a journal of a newer version is refused, not touched', () => {
  const file = join(aFolder(), 'journal.sqlite')
  openJournal(file, systemClock).journal.close()
  const newer = new Database(file)
  newer.pragma('user_version = 99')
  newer.close()

  expect(() => openJournal(file, systemClock)).toThrow(/newer Fanfold \(schema 99/)
})
