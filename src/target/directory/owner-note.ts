/**
 * The note that says whose place a folder is: an extended attribute of the folder, so that the copies are all that is seen in it. Where the
 * file system keeps no attributes (FAT, some network mounts), it is a file. What stands in a note is not judged here.
 */
import { closeSync, constants, fsyncSync, openSync, readSync, renameSync, writeSync } from 'node:fs'
import { errnoOf } from '../../base/errors.ts'
import { readAttribute, writeAttribute } from '../../base/libc.ts'
import { during } from './failure.ts'
import { below, type Folders } from './folders.ts'
import { noteBytesMax, noteName } from '../claim.ts'

const attribute = 'user.fanfold.owner'
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Undefined where there is none, or no such folder yet. */
export function readNote(folders: Folders, folder: string): string | undefined {
  const fd = entered(folders, folder)
  if (fd === undefined) return undefined
  return during('root', folder, () => {
    const bytes = attributeOf(fd)
    return bytes === 'unsupported' ? noteOfFile(fd) : bytes?.toString('utf8')
  })
}

function entered(folders: Folders, folder: string): number | undefined {
  try {
    return folders.enter(folder, false)
  } catch (thrown) {
    if (errnoOf(thrown) === 'object:ENOENT') return undefined
    throw thrown
  }
}

function attributeOf(fd: number): Buffer | undefined | 'unsupported' {
  try {
    return readAttribute(fd, attribute, noteBytesMax)
  } catch (thrown) {
    if (isUnsupported(thrown)) return 'unsupported'
    throw thrown
  }
}

function isUnsupported(thrown: unknown): boolean {
  // Some file systems have no attributes of this kind, some have them switched off.
  return ['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EPERM'].includes(errnoOf(thrown) ?? '')
}

function noteOfFile(folder: number): string | undefined {
  let fd: number
  try {
    fd = openSync(below(folder, noteName), readFlags)
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return undefined
    throw thrown
  }
  try {
    const to = Buffer.alloc(noteBytesMax)
    return to.subarray(0, readSync(fd, to, 0, noteBytesMax, 0)).toString('utf8')
  } finally {
    closeSync(fd)
  }
}

/** Durable when it returns. The folder is made where it is missing. */
export function writeNote(folders: Folders, folder: string, text: string): void {
  const fd = folders.enter(folder, true)
  during('root', folder, () => {
    try {
      writeAttribute(fd, attribute, Buffer.from(text))
    } catch (thrown) {
      if (!isUnsupported(thrown)) throw thrown
      writeFile(fd, text)
    }
    fsyncSync(fd)
  })
  folders.sync()
}

function writeFile(folder: number, text: string): void {
  const temporary = below(folder, `${noteName}-new`)
  const fd = openSync(
    temporary,
    constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW,
    0o644,
  )
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(temporary, below(folder, noteName))
}
