/** What is known of the file systems a root may lie on, and of the kernel's limits. Reads; decides no state. */
import { readFileSync } from 'node:fs'
import type { SourceConfig } from '../config/config.ts'
import type { KnownMount } from './deps.ts'
import { isDiskOf } from './root-look.ts'
import type { RootIdentity, RootLook } from './scan.ts'

/** statfs types where changes by other hosts, or by the file system's own process, raise no event (F8). Source: statfs(2), linux/magic.h. */
const blindTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9p'],
  [0x65735546, 'FUSE'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
])

/** The same by the names that the kernel's table of mounts has for them; what FUSE serves has one of its own behind a point. */
const blindNames: ReadonlyMap<string, string> = new Map([
  ['nfs', 'NFS'],
  ['nfs4', 'NFS'],
  ['smbfs', 'SMB'],
  ['smb3', 'SMB'],
  ['cifs', 'CIFS'],
  ['9p', '9p'],
  ['fuse', 'FUSE'],
  ['fuseblk', 'FUSE'],
  ['virtiofs', 'virtiofs'],
  ['ceph', 'Ceph'],
  ['afs', 'AFS'],
])

export interface RootBefore {
  /** Its number in this run of the program, since a disk may have another one after the next start. */
  readonly device: bigint | undefined
  /** The disk that it was. */
  readonly disk: KnownMount | undefined
}

/** Why nothing is to be concluded from what is seen at `path`; undefined where it is the folder it was. */
export function whyNoRoot(
  source: string,
  path: string,
  look: RootLook,
  { device, disk }: RootBefore,
): string | undefined {
  if (look.kind === 'absent') return `${path}: ${look.reason}`
  if (disk !== undefined ? isDiskOf(look, disk, device) : device === undefined || look.identity.device === device)
    return
  return `${path} is on another file system than before: mount it again, or say "fanfold approve ${source}" if this is meant`
}

/** Why a root is looked at every few seconds rather than watched; undefined where it is watched. */
export function whyPolled(watch: SourceConfig['watch'], fsType: number): string | undefined {
  if (watch === 'poll') return 'watch: poll is configured'
  const blind = watch === 'auto' ? blindFileSystem(fsType) : undefined
  return blind === undefined ? undefined : `${blind} does not tell of changes`
}

/** Name of the file system, where watching is blind on it; undefined where it sees. */
function blindFileSystem(fsType: number): string | undefined {
  // Node gives the magic number as a signed or an unsigned word, by platform.
  return blindTypes.get(fsType >>> 0)
}

/** Name of a kind of file system, where it does not tell of all changes. @param fsType as the kernel's table of mounts has it. */
export function blindMount(fsType: string): string | undefined {
  return blindNames.get(fsType) ?? (fsType.startsWith('fuse.') ? `FUSE (${fsType.slice(5)})` : undefined)
}

export function isSameRoot(one: RootIdentity, other: RootIdentity): boolean {
  return one.path === other.path && one.device === other.device && one.inode === other.inode
}

/** Why folders are not watched, with numbers and the next step (F7). */
export function unwatchedReason(code: string, folderCount: number, watchedCount: number): string {
  const folders = folderCount === 1 ? '1 folder is' : `${folderCount} folders are`
  if (code !== 'ENOSPC') return `${folders} not watched but polled: ${code}`
  const { limit, sysctl } = watchLimit()
  return `${folders} not watched but polled: ${watchedCount} watches are in use here and the limit is ${limit}; raise ${sysctl}`
}

/** The smaller of the kernel's two limits: per user, and per user and user namespace, as in a container. */
function watchLimit(): { limit: number; sysctl: string } {
  const perUser = Number(readFileSync('/proc/sys/fs/inotify/max_user_watches', 'latin1'))
  const perNamespace = Number(readFileSync('/proc/sys/user/max_inotify_watches', 'latin1'))
  return perNamespace < perUser
    ? { limit: perNamespace, sysctl: 'user.max_inotify_watches' }
    : { limit: perUser, sysctl: 'fs.inotify.max_user_watches' }
}
