/** Opens the journal's file: where it may lie, pragmas, soundness, schema. */
import Database from 'better-sqlite3'
import { dirname } from 'node:path'
import type { Connection } from './connection.ts'
import { tellOfStatements, type StatementHook } from './fault-seam.ts'
import { refuseNetwork } from './local-disk.ts'
import { migrate } from './schema.ts'
import { demandSound, isDamage, moveAside, wasLeftUncleanly } from './soundness.ts'
import { isFull } from './write-gate.ts'

/** SQLite's page cache. Unit: KiB. */
const pageCacheKib = 16 * 1024
/** The write-ahead log is folded back about every so many pages of 4 KiB: what is written back at once stays below 50 ms of the main loop. */
const checkpointPages = 1000
/** What the log may keep of the disk after it was folded back. Unit: bytes. */
const logBytesKept = 16 * 2 ** 20
/** How long a write waits for another process that has the file open (a command beside the daemon). Unit: ms. */
const busyMs = 5_000

export interface OpenOptions {
  /** The owner said that network storage is safe here. */
  readonly allowsNetwork?: boolean
  /** For tests: hears of every statement that writes. */
  readonly onStatement?: StatementHook
}

export interface Opened {
  readonly connection: Connection
  /** Where a damaged journal was put; undefined when it was sound. */
  readonly damagedFile: string | undefined
}

/**
 * Opens or creates the journal at `file`. A damaged one is moved aside and a fresh one begun: a scan and the targets' own
 * content rebuild it without sending equal content again. @param wallMs names the damaged file.
 */
export function openConnection(file: string, wallMs: number, options: OpenOptions): Opened {
  if (options.allowsNetwork !== true) refuseNetwork(dirname(file))
  try {
    return { connection: openSound(file, options), damagedFile: undefined }
  } catch (thrown) {
    if (!isDamage(thrown)) throw thrown
    const damagedFile = moveAside(file, wallMs)
    return { connection: openSound(file, options), damagedFile }
  }
}

function openSound(file: string, { onStatement }: OpenOptions): Connection {
  const isUnclean = wasLeftUncleanly(file)
  const connection = new Database(file, { timeout: busyMs })
  try {
    if (onStatement !== undefined) tellOfStatements(connection, onStatement)
    // Before the first table is made, else it has no effect: free pages can then be given back little by little.
    connection.pragma('auto_vacuum = INCREMENTAL')
    connection.pragma('journal_mode = WAL')
    connection.pragma('synchronous = FULL')
    // Rows that others refer to are never deleted, and ids come from this room only: asking for every row costs a fifth of a batch.
    connection.pragma('foreign_keys = OFF')
    // A full disk elsewhere must not fail a statement here.
    connection.pragma('temp_store = MEMORY')
    connection.pragma(`cache_size = -${pageCacheKib}`)
    connection.pragma(`wal_autocheckpoint = ${checkpointPages}`)
    connection.pragma(`journal_size_limit = ${logBytesKept}`)
    demandSound(connection, file, isUnclean)
    migrate(connection, file)
    return connection
  } catch (thrown) {
    connection.close()
    throw thrown
  }
}

/** Before the file is closed. Where the disk has no room for that, the log stays and is folded back after the next start. */
export function foldBack(connection: Connection): void {
  try {
    connection.pragma('wal_checkpoint(TRUNCATE)')
  } catch (thrown) {
    if (!isFull(thrown)) throw thrown
  }
}
