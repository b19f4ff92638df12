/** Brings a journal's file to this version's schema. Knows the steps' number and order, not their meaning. */
import { closeSync, constants, copyFileSync, fsyncSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { OwnerError } from '../base/errors.ts'
import { migrations } from './migrations.ts'
import type { Connection } from './connection.ts'

/**
 * Does the steps that are missing, each in a transaction of its own. An existing journal is copied first, to `FILE.schema-N`; that
 * copy is kept until the next change of the schema. @throws OwnerError for a journal of a newer version, which is not touched.
 */
export function migrate(connection: Connection, file: string, steps: readonly string[] = migrations): void {
  const done = Number(connection.pragma('user_version', { simple: true }))
  if (done > steps.length) {
    throw new OwnerError(
      `${file} was written by a newer Fanfold (schema ${done}, this one knows ${steps.length}): install that version again, ` +
        `or stop Fanfold and put the copy from before the upgrade (${file}.schema-${steps.length}) in its place, if there is one`,
    )
  }
  if (done > 0 && done < steps.length) backUp(connection, file, done)
  steps.slice(done).forEach((step, index) => {
    connection.transaction(() => {
      connection.exec(step)
      connection.pragma(`user_version = ${done + index + 1}`)
    })()
  })
}

/** Under another name until it is whole: a copy that was interrupted is never taken for one. */
function backUp(connection: Connection, file: string, version: number): void {
  const copy = `${file}.schema-${version}`
  // Everything in one file first; whoever else has it open is no more than a reader for a moment.
  connection.pragma('wal_checkpoint(TRUNCATE)')
  copyFileSync(file, `${copy}.partial`, constants.COPYFILE_FICLONE)
  sync(`${copy}.partial`)
  renameSync(`${copy}.partial`, copy)
  sync(dirname(file))
  for (const name of readdirSync(dirname(file))) {
    const isOlder = name.startsWith(`${basename(file)}.schema-`) && name !== basename(copy)
    if (isOlder) rmSync(join(dirname(file), name), { force: true })
  }
}

function sync(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
