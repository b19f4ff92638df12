/** What lies at the path of a source right now, and whether it is what was there before. Asks the file system; decides no state. */
import { realpathSync, statfsSync, statSync, type BigIntStats } from 'node:fs'
import { asError } from '../base/errors.ts'
import { decodeName, fsPath } from '../base/path.ts'
import type { KnownMount } from './deps.ts'
import { isDisk, mountsBelow } from './mount-table.ts'
import type { RootFolder, RootLook } from './scan.ts'

/**
 * statfs types of the disks whose root keeps its inode and its birth for as long as they are not formatted: ext2 to ext4, XFS, btrfs, F2FS, ZFS,
 * bcachefs. Others, as exFAT, answer the time of their mounting, or number their inodes anew. Source: statfs(2), linux/magic.h.
 */
const markedTypes: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0xca451a4e])

export function lookAtRoot(path: string): RootLook {
  try {
    const real = decodeName(realpathSync(fsPath(path), 'buffer'))
    const stat = statSync(fsPath(real), { bigint: true })
    if (!stat.isDirectory()) return { kind: 'absent', reason: 'it is not a folder' }
    const fsType = statfsSync(fsPath(real)).type
    const identity = { path: real, device: stat.dev, inode: stat.ino }
    return { kind: 'folder', identity, fsType, isMount: isDisk(real), mark: markOf(stat, fsType) }
  } catch (thrown) {
    return { kind: 'absent', reason: asError(thrown).message }
  }
}

/** Device numbers change over a restart, and every ext4 has its root at inode 2, so that its birth is what tells a disk from the next one. */
function markOf({ ino, birthtimeNs, ctimeNs }: BigIntStats, fsType: number): string | undefined {
  // Where the kernel does not tell it, libuv answers the change time, which is no birth at all.
  const isBirth = birthtimeNs > 0n && birthtimeNs !== ctimeNs
  // Node gives the magic number as a signed or an unsigned word, by platform.
  return isBirth && markedTypes.has(fsType >>> 0) ? `${ino}:${birthtimeNs}` : undefined
}

/** Is the disk there that was there before? @param device its number in this run of the program, where it was seen in it. */
export function isDiskOf(look: RootFolder, { mark }: KnownMount, device: bigint | undefined): boolean {
  if (!look.isMount) return false
  return mark === undefined ? device === undefined || look.identity.device === device : look.mark === mark
}

/** Those that are not there now. For whoever has no source that runs. */
export function notMounted(path: string, known: readonly KnownMount[]): KnownMount[] {
  const root = lookAtRoot(path)
  const below = new Set(root.kind === 'folder' ? mountsBelow(root.identity.path).map(({ folder }) => folder) : [])
  return known.filter((mount) => {
    if (mount.folder !== '') return !below.has(mount.folder)
    return root.kind === 'absent' || !isDiskOf(root, mount, undefined)
  })
}
