/** Opens the journal's file: pragmas, damage, migrations. Knows the schema's number, not its meaning. */
import Database from 'better-sqlite3'
import { existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { OwnerError, errnoOf } from '../base/errors.ts'
import { migrations } from './migrations.ts'

export type Connection = Database.Database

/** Above this a check at each start would cost seconds; such a journal is checked only after damage was met. Unit: bytes. */
const checkedAtStartBytesMax = 64 * 2 ** 20
/** SQLite's page cache. Unit: KiB. */
const pageCacheKib = 16 * 1024
/** The write-ahead log is folded back about every so many pages of 4 KiB, which bounds it to some 16 MiB. */
const checkpointPages = 4000

export interface Opened {
  readonly connection: Connection
  /** Where a damaged journal was put; undefined when it was sound. */
  readonly damagedFile: string | undefined
}

/**
 * Opens or creates the journal at `file`. A damaged one is moved aside and a fresh one begun: a scan and the targets' own
 * content rebuild it without sending equal content again. @param wallMs names the damaged file.
 */
export function openConnection(file: string, wallMs: number): Opened {
  try {
    return { connection: openSound(file), damagedFile: undefined }
  } catch (thrown) {
    if (!isDamage(thrown)) throw thrown
    return { connection: begin(file, wallMs), damagedFile: `${file}.damaged-${wallMs}` }
  }
}

function begin(file: string, wallMs: number): Connection {
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(file + suffix)) renameSync(file + suffix, `${file}.damaged-${wallMs}${suffix}`)
  }
  rmSync(checkMark(file), { force: true })
  return openSound(file)
}

function openSound(file: string): Connection {
  const connection = new Database(file, { timeout: 5000 })
  try {
    connection.pragma('journal_mode = WAL')
    connection.pragma('synchronous = FULL')
    connection.pragma('foreign_keys = ON')
    connection.pragma(`cache_size = -${pageCacheKib}`)
    connection.pragma(`wal_autocheckpoint = ${checkpointPages}`)
    checkIfDue(connection, file)
    migrate(connection, file)
    return connection
  } catch (thrown) {
    connection.close()
    throw thrown
  }
}

function checkIfDue(connection: Connection, file: string): void {
  if (statSync(file).size > checkedAtStartBytesMax && !existsSync(checkMark(file))) return
  const verdict: unknown = connection.pragma('quick_check(1)', { simple: true })
  if (verdict !== 'ok') throw new DamagedJournal(`${file}: ${String(verdict)}`)
  rmSync(checkMark(file), { force: true })
}

function migrate(connection: Connection, file: string): void {
  const done = Number(connection.pragma('user_version', { simple: true }))
  if (done > migrations.length) {
    throw new OwnerError(
      `${file} was written by a newer Fanfold (schema ${done}, this one knows ${migrations.length}): install that version again`,
    )
  }
  migrations.slice(done).forEach((step, index) => {
    connection.transaction(() => {
      connection.exec(step)
      connection.pragma(`user_version = ${done + index + 1}`)
    })()
  })
}

class DamagedJournal extends Error {}

/** SQLite's words for a file that is not what it should be; everything else (a full disk, no permission) is no damage. */
export function isDamage(thrown: unknown): boolean {
  if (thrown instanceof DamagedJournal) return true
  const code = errnoOf(thrown) ?? ''
  return code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')
}

function checkMark(file: string): string {
  return `${file}.check`
}

/** Damage met while running: the next start looks at the whole file, whatever its size. */
export function demandCheck(file: string): void {
  writeFileSync(checkMark(file), '')
}
