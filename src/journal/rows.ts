/** How values cross into SQLite and back. The only place of this room that casts. */
import { decodeName, encodeName, isUtf8Name } from '../base/path.ts'

/** A name in a column of type ANY: TEXT where it is valid UTF-8, else its bytes. */
export type NameCell = string | Buffer

export function nameCell(name: string): NameCell {
  return isUtf8Name(name) ? name : encodeName(name)
}

export function nameOfCell(cell: NameCell): string {
  return typeof cell === 'string' ? cell : decodeName(cell)
}

/** Inodes are unsigned, SQLite's integers signed: the same 64 bits either way. */
export function inodeCell(inode: bigint): bigint {
  return BigInt.asIntN(64, inode)
}

export function inodeOfCell(cell: bigint): bigint {
  return BigInt.asUintN(64, cell)
}

export function hashCell(hex: string): Buffer {
  return Buffer.from(hex, 'hex')
}
