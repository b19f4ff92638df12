import { copyFileSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { sourcePath } from '../../src/base/path.ts'
import { seededRandom } from '../../src/base/random.ts'
import { openJournal } from '../../src/journal/journal.ts'
import { refuseNetwork } from '../../src/journal/local-disk.ts'
import { migrations } from '../../src/journal/migrations.ts'
import { migrate } from '../../src/journal/schema.ts'
import { declared } from './rig.ts'
import { aFolder, aPut, aSeed } from '../builders.ts'

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

const models = new Map<number, Buffer>()

/** A closed journal of so many files; made once, since every test may have a copy. */
function aFilledJournal(files: number): string {
  const file = join(aFolder(), 'journal.sqlite')
  const model = models.get(files)
  if (model === undefined) models.set(files, aModel(file, files))
  else writeFileSync(file, model)
  return file
}

function aModel(file: string, files: number): Buffer {
  const { journal } = openJournal(file, systemClock)
  journal.declareTarget('nas', declared('all'))
  for (let at = 0; at < files; at += 1000) {
    const batch = Array.from({ length: Math.min(1000, files - at) }, (_, n) =>
      aPut(`d${(at + n) % 30}/file-with-a-name-${at + n}`),
    )
    journal.record(batch, () => [])
  }
  journal.close()
  return readFileSync(file)
}

function overwrite(file: string, from: number, to: number, byte: (at: number) => number): void {
  const bytes = readFileSync(file)
  for (let at = from; at < Math.min(to, bytes.length); at++) bytes[at] = byte(at)
  writeFileSync(file, bytes)
}

const pageBytes = 4096

test.each<[string, (file: string) => void]>([
  ['bytes in the middle overwritten', (file) => overwrite(file, 8192, statSync(file).size - 8192, () => 0xee)],
  ['no database at all', (file) => writeFileSync(file, 'this is a shopping list\n'.repeat(500))],
  ['cut to half', (file) => truncateSync(file, Math.floor(statSync(file).size / 2))],
  ['cut in the middle of a page', (file) => truncateSync(file, Math.floor(statSync(file).size / 2) + 1234)],
  ['header zeroed', (file) => overwrite(file, 0, 100, () => 0)],
  ['first page zeroed', (file) => overwrite(file, 0, pageBytes, () => 0)],
  ['all zeroed', (file) => overwrite(file, 0, Infinity, () => 0)],
])('F86: a damaged journal (%s) is moved aside and a fresh one begun', (_what, spoil) => {
  const file = aFilledJournal(3000)
  spoil(file)
  const spoiled = readFileSync(file)

  const opened = openJournal(file, systemClock)

  expect(opened.damagedFile).toMatch(/journal\.sqlite\.damaged-\d+$/)
  expect(readFileSync(opened.damagedFile ?? '')).toEqual(spoiled)
  expect(opened.journal.head).toBe(0)
  opened.journal.close()
})

test('F86: random garbage in any page never needs a person: it is moved aside, or the journal works', () => {
  const seed = aSeed()
  const random = seededRandom(seed)
  const file = aFilledJournal(3000)
  const sound = readFileSync(file)
  let moved = 0
  for (let round = 0; round < 20; round++) {
    writeFileSync(file, sound)
    const page = 1 + Math.floor(random() * (sound.length / pageBytes - 1))
    overwrite(file, page * pageBytes, (page + 1) * pageBytes, () => Math.floor(random() * 256))

    const { journal, damagedFile } = openJournal(file, systemClock)
    const [accepted] = journal.record([aPut('new')], () => [])
    journal.close()

    if (damagedFile !== undefined) moved++
    expect(accepted?.owedTo, `seed ${seed}, page ${page}`).toEqual([])
  }
  expect(moved, `seed ${seed}`).toBeGreaterThan(10)
  expect(readdirSync(dirname(file)).filter((name) => /damaged-\d+$/.test(name)).length).toBeLessThanOrEqual(3)
})

test('F86: a journal without the log that was not folded back yet is an older one, not a broken one', () => {
  const file = join(aFolder(), 'journal.sqlite')
  const { journal } = openJournal(file, systemClock)
  for (let n = 0; n < 3000; n++) journal.record([aPut(`d${n % 30}/f${n}`)], () => [])
  const crashed = join(aFolder(), 'journal.sqlite')
  copyFileSync(file, crashed)
  journal.close()

  const opened = openJournal(crashed, systemClock)

  expect(opened.journal.head).toBeLessThanOrEqual(3000)
  opened.journal.record([aPut('new')], () => [])
  expect(opened.journal.recordOf('papers', sourcePath('new'))?.isPresent).toBe(true)
  opened.journal.close()
})

test('F86: of a large journal samples are read; damage they miss is met later, and the next start begins a fresh one', async () => {
  const file = aFilledJournal(120_000)
  expect(statSync(file).size).toBeGreaterThan(16 * 2 ** 20)
  // The names of one folder lie in a few pages: no sample reads them, a scan of the folder does.
  const sound = readFileSync(file)
  for (let page = 1; page < sound.length / pageBytes; page++) {
    const at = page * pageBytes
    // 0x0a: a leaf of an index.
    if (sound[at] === 0x0a && sound.subarray(at, at + pageBytes).includes('file-with-a-name-7000'))
      sound.fill(0xee, at, at + 64)
  }
  writeFileSync(file, sound)

  const first = openJournal(file, systemClock)
  const read = (): unknown =>
    Array.from({ length: 30 }, (_, n) => first.journal.filesIn('papers', sourcePath(`d${n}`), '', 1e6))
  expect(read).toThrow(/malformed/)
  const damage = await first.journal.damage
  first.journal.close()
  const second = openJournal(file, systemClock)
  second.journal.close()

  expect(first.damagedFile).toBeUndefined()
  expect(damage.message).toMatch(/malformed/)
  expect(second.damagedFile).toBeDefined()
}, 60_000)

test('a large journal that was cut is found without reading all of it', () => {
  const file = aFilledJournal(120_000)
  truncateSync(file, statSync(file).size - 3 * pageBytes)

  const opened = openJournal(file, systemClock)
  opened.journal.close()

  expect(opened.damagedFile).toBeDefined()
}, 60_000)

test.each<[number, string]>([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [-0xacb2be, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9P'],
  [0x65735546, 'FUSE'],
])('F88: a state directory on network storage (%i, %s) is refused, with what to do', (type, name) => {
  expect(() => refuseNetwork('/srv/state', type)).toThrow(`network storage (${name})`)
  expect(() => refuseNetwork('/srv/state', type)).toThrow('state-on-network: allow')
})

test.each([0xef53, 0x9123683e, 0x58465342, 0x01021994])('F88: a local file system (%i) is not', (type) => {
  expect(() => refuseNetwork('/srv/state', type)).not.toThrow()
})

test('F90: a journal is copied before its schema changes, and the copy of the version before goes', () => {
  const file = aFilledJournal(10)
  const before = readFileSync(file)
  const connection = new Database(file)
  const version = Number(connection.pragma('user_version', { simple: true }))
  const next = [...migrations, 'CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT']
  const nextButOne = [...next, 'CREATE TABLE latest (id INTEGER PRIMARY KEY) STRICT']

  migrate(connection, file, next)
  const copy = readFileSync(`${file}.schema-${version}`)
  migrate(connection, file, nextButOne)
  connection.close()

  expect(copy).toEqual(before)
  expect(readdirSync(dirname(file)).filter((name) => name.includes('schema'))).toEqual([
    `journal.sqlite.schema-${version + 1}`,
  ])
})

test('F90: a step that fails leaves the journal as it was', () => {
  const file = aFilledJournal(10)
  const connection = new Database(file)
  const version = connection.pragma('user_version', { simple: true })

  const broken = (): void => migrate(connection, file, [...migrations, 'DROP TABLE history; DROP TABLE nothing_such'])

  expect(broken).toThrow(/nothing_such/)
  expect(connection.pragma('user_version', { simple: true })).toBe(version)
  expect(connection.prepare('SELECT count(*) FROM history').pluck().get()).toBe(10)
  connection.close()
})

test('F90: a journal of a newer version is refused, not touched', () => {
  const file = join(aFolder(), 'journal.sqlite')
  openJournal(file, systemClock).journal.close()
  const newer = new Database(file)
  newer.pragma('user_version = 99')
  newer.close()

  expect(() => openJournal(file, systemClock)).toThrow(/newer Fanfold \(schema 99/)
})
