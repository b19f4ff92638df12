/** Disks in trouble, as a user meets them. Mounting needs root: without it the tests that use this say so and are skipped. */
import { execFileSync } from 'node:child_process'
import { onTestFinished } from 'vitest'

export const canMount = process.getuid?.() === 0

function mount(...words: string[]): void {
  execFileSync('mount', words, { stdio: ['ignore', 'ignore', 'pipe'] })
}

function unmountAfterwards(folder: string): void {
  onTestFinished(() => {
    execFileSync('umount', ['--lazy', folder])
  })
}

/** Makes `folder` a disk of so many MiB. Answers what makes it larger. */
export function smallDisk(folder: string, sizeMib: number): { growTo(sizeMib: number): void } {
  mount('-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'fanfold-test', folder)
  unmountAfterwards(folder)
  return { growTo: (size) => mount('-o', `remount,size=${size}m`, folder) }
}

/** Makes `folder` read-only, root included. Answers what makes it writable again. */
export function readOnlyDisk(folder: string): { heal(): void } {
  mount('--bind', folder, folder)
  unmountAfterwards(folder)
  mount('-o', 'remount,ro,bind', folder)
  return { heal: () => mount('-o', 'remount,rw,bind', folder) }
}
