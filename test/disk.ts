/** Disks in trouble, as a user meets them. Mounting needs root: without it the tests that use this say so and are skipped. */
import { execFileSync } from 'node:child_process'
import { onTestFinished } from 'vitest'

export const canMount = process.getuid?.() === 0

function mount(...words: string[]): void {
  execFileSync('mount', words, { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** Answers what unmounts it before. */
function unmountAfterwards(folder: string): () => void {
  let isMounted = true
  const unmount = (): void => {
    if (isMounted) execFileSync('umount', ['--lazy', folder])
    isMounted = false
  }
  onTestFinished(unmount)
  return unmount
}

/** Makes `folder` a disk of so many MiB. Answers what makes it larger, and what takes it away. */
export function smallDisk(folder: string, sizeMib: number): { growTo(sizeMib: number): void; remove(): void } {
  mount('-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'fanfold-test', folder)
  const remove = unmountAfterwards(folder)
  return { growTo: (size) => mount('-o', `remount,size=${size}m`, folder), remove }
}

/** Makes `folder` read-only, root included. Answers what makes it writable again. */
export function readOnlyDisk(folder: string): { heal(): void } {
  mount('--bind', folder, folder)
  unmountAfterwards(folder)
  mount('-o', 'remount,ro,bind', folder)
  return { heal: () => mount('-o', 'remount,rw,bind', folder) }
}
