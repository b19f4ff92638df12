/** Which file systems the kernel says are mounted below a folder. Asks none of them, since one whose server is gone would never answer. */
import { readFileSync } from 'node:fs'
import { decodeName } from '../base/path.ts'
import type { NestedMount } from './scan.ts'

/** One per file system mounted anywhere; a machine full of containers has some thousand. */
const mountsMax = 10_000

interface Mount {
  readonly point: string
  /** Which folder of its file system lies there: `/` where it is all of it, rather than a folder bound to another place. */
  readonly top: string
  readonly device: string
  readonly fsType: string
}

/** Those on another file system than `root` itself; where several lie on one folder, the uppermost. Paths are below `root`. */
export function mountsBelow(root: string, table: Buffer = readMounts()): NestedMount[] {
  const mounts = parseMounts(table)
  const home = mounts.filter(({ point }) => isAtOrBelow(root, point)).reduce<Mount | undefined>(deeper, undefined)
  const start = root === '/' ? root : `${root}/`
  const below = new Map<string, NestedMount>()
  for (const { point, device, fsType } of mounts) {
    const folder = point.slice(start.length)
    if (!point.startsWith(start) || folder === '') continue
    if (device === home?.device) below.delete(folder)
    else below.set(folder, { folder, fsType })
  }
  return [...below.values()]
}

/** Is a whole file system mounted at `path`? What services and containers bind to make places of their own is no disk that may be missed. */
export function isDisk(path: string, table: Buffer = readMounts()): boolean {
  return parseMounts(table).findLast(({ point }) => point === path)?.top === '/'
}

function readMounts(): Buffer {
  return readFileSync('/proc/self/mountinfo')
}

/** A later line at the same place lies on top. */
function deeper(one: Mount | undefined, other: Mount): Mount {
  return one !== undefined && one.point.length > other.point.length ? one : other
}

function isAtOrBelow(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`)
}

/** Source: proc_pid_mountinfo(5). What does not look like that is no mount. */
function parseMounts(table: Buffer): Mount[] {
  const lines = table.toString('latin1').split('\n', mountsMax)
  return lines.flatMap((line) => {
    const [place = '', kind = ''] = line.split(' - ')
    const [, , device, top, point] = place.split(' ')
    const [fsType] = kind.split(' ')
    return device === undefined || top === undefined || point === undefined || fsType === undefined
      ? []
      : { point: unescaped(point), top, device, fsType }
  })
}

/** The kernel writes blanks and backslashes as three octal digits, and every other byte as it is. */
function unescaped(point: string): string {
  const bytes = point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)))
  return decodeName(Buffer.from(bytes, 'latin1'))
}
