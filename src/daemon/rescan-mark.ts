/** The mark that says "scan everything": one block that is allocated beforehand, so that it can be set on a full disk. Knows not who scans. */
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import { constants } from 'node:fs'

/** Allocated as a whole when the mark is made: writing it again in place takes no room. Unit: bytes. */
const blockBytes = 4096
const set = 0x31
const clear = 0x30

export interface RescanMark {
  /** It was set when this process began, or is by now. */
  readonly isSet: boolean
  set(): void
  clear(): void
  close(): void
}

/** Opens or makes the mark. @throws ENOSPC where there is no room even for that. */
export function openRescanMark(file: string): RescanMark {
  const fd = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600)
  const block = Buffer.alloc(blockBytes, clear)
  try {
    if (readSync(fd, block, 0, blockBytes, 0) < blockBytes) {
      // Made just now, or the disk was full when it was: what cannot be read whole says nothing, and a scan harms nobody.
      block.fill(clear)
      write(fd, block)
    }
  } catch (thrown) {
    closeSync(fd)
    throw thrown
  }
  let isSet = block[0] === set
  const become = (value: boolean): void => {
    if (value === isSet) return
    write(fd, Buffer.alloc(blockBytes, value ? set : clear))
    isSet = value
  }
  return {
    get isSet() {
      return isSet
    },
    set: () => become(true),
    clear: () => become(false),
    close: () => closeSync(fd),
  }
}

function write(fd: number, block: Buffer): void {
  writeSync(fd, block, 0, blockBytes, 0)
  fsyncSync(fd)
}
