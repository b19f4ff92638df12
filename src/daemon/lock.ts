/** One daemon for one state directory: a lock that ends with the process, whatever ends it. */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { errnoOf, OwnerError } from '../base/errors.ts'
import { tryLock } from '../base/libc.ts'

/** Takes the lock. @throws OwnerError that names the process which has it. */
export function takeLock(file: string): { release(): void } {
  const fd = openSync(file, 'a+', 0o600)
  if (!tryLock(fd)) {
    closeSync(fd)
    const owner = readFileSync(file, 'utf8').trim()
    throw new OwnerError(
      `another Fanfold (process ${owner === '' ? 'unknown' : owner}) uses this state directory; it holds ${file}. Stop it first, or give this one another "state:"`,
    )
  }
  try {
    ftruncateSync(fd)
    writeSync(fd, String(process.pid))
  } catch (thrown) {
    // On a full disk the lock holds all the same; only its owner's number is missing.
    if (errnoOf(thrown) !== 'ENOSPC' && errnoOf(thrown) !== 'EDQUOT') throw thrown
  }
  return { release: () => closeSync(fd) }
}
