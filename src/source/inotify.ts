/** The kernel's side of watching: which events are asked for, and how their bytes are read. Source: inotify(7), <sys/inotify.h>. */
import { decodeName } from '../base/path.ts'

export const events = {
  modify: 0x2,
  attrib: 0x4,
  closeWrite: 0x8,
  movedFrom: 0x40,
  movedTo: 0x80,
  create: 0x100,
  delete: 0x200,
  deleteSelf: 0x400,
  moveSelf: 0x800,
  unmount: 0x2000,
  overflow: 0x4000,
  ignored: 0x8000,
  isFolder: 0x40000000,
} as const

const onlyDir = 0x01000000
const dontFollow = 0x02000000
/** Without it, temporary files that were unlinked while open would go on raising events. */
const exclUnlink = 0x04000000

export const folderMask =
  events.modify |
  events.attrib |
  events.closeWrite |
  events.movedFrom |
  events.movedTo |
  events.create |
  events.delete |
  events.deleteSelf |
  events.moveSelf |
  onlyDir |
  dontFollow |
  exclUnlink

export interface KernelEvent {
  /** Watch descriptor; -1 for an overflow. */
  readonly wd: number
  readonly mask: number
  /** Same number on both halves of a rename, else 0. */
  readonly cookie: number
  /** Name inside the watched folder; '' for the folder itself. */
  readonly name: string
}

const headerBytes = 16

/** Events in the first `length` bytes, in the kernel's order. */
export function* parseEvents(bytes: Buffer, length: number): Generator<KernelEvent> {
  for (let at = 0; at + headerBytes <= length;) {
    const nameBytes = bytes.readUInt32LE(at + 12)
    yield {
      wd: bytes.readInt32LE(at),
      mask: bytes.readUInt32LE(at + 4),
      cookie: bytes.readUInt32LE(at + 8),
      name: nameBytes === 0 ? '' : readName(bytes, at + headerBytes, nameBytes),
    }
    at += headerBytes + nameBytes
  }
}

/** The kernel pads names with zero bytes. */
function readName(bytes: Buffer, start: number, length: number): string {
  const end = bytes.indexOf(0, start)
  return decodeName(bytes.subarray(start, end < 0 || end > start + length ? start + length : end))
}
