/**
 * Is the file what it should be? How closely that is looked at depends on what it costs and on how the journal was left:
 *   damage was met before              all of it, whatever it costs
 *   small                              all of it
 *   of medium size, left uncleanly     all of it
 *   else                               its length, and samples from all over it: a time that does not grow with the journal
 * Damage that samples miss is met when its page is read: the daemon ends, and its next start looks at everything.
 */
import { existsSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { errnoOf } from '../base/errors.ts'
import type { Connection } from './connection.ts'

/** A whole check reads some 200 MB a second. Unit: bytes. */
const smallBytesMax = 16 * 2 ** 20
const mediumBytesMax = 64 * 2 ** 20
/** Rows of each large table that are read from all over it. */
const samples = 64
/** Damaged journals kept, for whoever wants to know why; more would fill a disk that damages one after the other. */
const damagedKept = 3

export class DamagedJournal extends Error {}

/** Words for a file that is not what it should be or cannot be read; everything else (a full disk, no permission) is no damage. */
export function isDamage(thrown: unknown): boolean {
  if (thrown instanceof DamagedJournal) return true
  const code = errnoOf(thrown) ?? ''
  return (
    code.startsWith('SQLITE_CORRUPT') ||
    ['SQLITE_NOTADB', 'SQLITE_IOERR_READ', 'SQLITE_IOERR_DATA', 'SQLITE_IOERR_CORRUPTFS'].includes(code)
  )
}

/** A clean end removes the log. To be asked before the file is opened. */
export function wasLeftUncleanly(file: string): boolean {
  return existsSync(`${file}-wal`)
}

/** @throws DamagedJournal or SQLite's own error where it is not sound. */
export function demandSound(connection: Connection, file: string, isUnclean: boolean): void {
  const { size } = statSync(file)
  const isWhole = existsSync(checkMark(file)) || size <= (isUnclean ? mediumBytesMax : smallBytesMax)
  if (!isWhole) return sample(connection, file, { size, isUnclean })
  const verdict: unknown = connection.pragma('quick_check(1)', { simple: true })
  if (verdict !== 'ok') throw new DamagedJournal(`${file}: ${String(verdict)}`)
  rmSync(checkMark(file), { force: true })
}

const sql = {
  tables: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  lastFile: 'SELECT coalesce(max(id), 0) AS id FROM file',
  // By each way that leads to a row: the table itself, the order of the feed, the name in its folder.
  file: 'SELECT * FROM file WHERE id >= ? ORDER BY id LIMIT 1',
  feed: 'SELECT * FROM file WHERE seq >= ? ORDER BY seq LIMIT 1',
  folder: 'SELECT file.* FROM folder JOIN file ON file.folder_id = folder.id WHERE folder.id >= ? LIMIT 1',
  receipt: 'SELECT * FROM receipt WHERE target_id >= 1 AND file_id >= ? LIMIT 1',
}

function sample(connection: Connection, file: string, { size, isUnclean }: { size: number; isUnclean: boolean }): void {
  const pages = Number(connection.pragma('page_count', { simple: true }))
  const pageBytes = Number(connection.pragma('page_size', { simple: true }))
  // What a log still holds may lie behind the file's end.
  if (!isUnclean && pages * pageBytes > size)
    throw new DamagedJournal(`${file}: ${size} bytes instead of ${pages * pageBytes}`)
  for (const name of connection.prepare<[], string>(sql.tables).pluck().all()) {
    connection.prepare(`SELECT * FROM "${name}" LIMIT 1`).all()
  }
  const last = connection.prepare<[], number>(sql.lastFile).pluck().get() ?? 0
  const looks = [sql.file, sql.feed, sql.folder, sql.receipt].map((text) =>
    connection.prepare<[number]>(text).safeIntegers(),
  )
  for (let n = 0; n <= samples; n++) {
    for (const look of looks) look.all(Math.floor((last * n) / samples))
  }
}

/** Puts a damaged journal aside, log included. Answers its new name. @param wallMs tells one from another. */
export function moveAside(file: string, wallMs: number): string {
  const aside = `${file}.damaged-${wallMs}`
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix)
  }
  rmSync(checkMark(file), { force: true })
  forgetOldest(file)
  return aside
}

function forgetOldest(file: string): void {
  const folder = dirname(file)
  const prefix = `${basename(file)}.damaged-`
  const times = readdirSync(folder)
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number.parseInt(name.slice(prefix.length), 10))
  const kept = [...new Set(times)].sort((one, other) => other - one).slice(0, damagedKept)
  for (const time of times.filter((time) => !kept.includes(time))) {
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder, `${prefix}${time}${suffix}`), { force: true })
  }
}

function checkMark(file: string): string {
  return `${file}.check`
}

/** Damage met while running: the next start looks at the whole file, whatever its size. */
export function demandCheck(file: string): void {
  try {
    writeFileSync(checkMark(file), '')
  } catch {
    // A disk that is full or gone as well: the damage is met again, and the mark is tried again.
  }
}
