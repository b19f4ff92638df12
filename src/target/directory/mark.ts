/** The mark by which a target's root is known again. */
import type { BigIntStats } from 'node:fs'

/**
 * `device:inode:birth`. Device numbers change over a reboot (F31) and every ext4 disk has its root at inode 2, so only together they tell
 * a disk from the next one; the birth time is 0 where the file system keeps none.
 */
export function markOf(stat: BigIntStats): string {
  // Where the kernel does not know it, libuv answers the change time instead, which is no birth at all.
  const birthNs = stat.birthtimeNs === stat.ctimeNs ? 0n : stat.birthtimeNs
  return `${stat.dev}:${stat.ino}:${birthNs}`
}

interface Parts {
  readonly device: string
  readonly inode: string
  readonly birthNs: string
}

function partsOf(mark: string): Parts {
  const [device = '', inode = '', birthNs = '0'] = mark.split(':')
  return { device, inode, birthNs }
}

/** Same inode and, as far as both know it, same birth. */
export function isSamePlace(mark: string, expected: string): boolean {
  const now = partsOf(mark)
  const then = partsOf(expected)
  const isSameBirth = now.birthNs === then.birthNs || now.birthNs === '0' || then.birthNs === '0'
  return now.inode === then.inode && isSameBirth
}

/** A new folder on the same device: its owner made it anew. On another device it is another disk, or a mount point with nothing mounted. */
export function isMadeAnew(mark: string, expected: string): boolean {
  return !isSamePlace(mark, expected) && partsOf(mark).device === partsOf(expected).device
}
