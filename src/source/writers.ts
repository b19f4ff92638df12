/** Who has files open for writing, by the descriptors of all programs in /proc (F24). Opens none of the files; a mapping without a descriptor is not seen. */
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { errnoOf } from '../base/errors.ts'
import { decodeName, fsPath, nameOf } from '../base/path.ts'
import type { Writers } from './scan.ts'

/** Descriptors looked at in one pass: about half a second. What lies beyond is not seen. */
const descriptorsMax = 100_000
const ownerMayWrite = 0o200n

interface Wanted {
  readonly index: number
  readonly device: bigint
  readonly inode: bigint
}

/** @param files absolute. Programs that end or cannot be looked into meanwhile are passed over. */
export function writersOf(files: readonly string[]): Writers {
  const pass = new Pass(files)
  for (const pid of programs()) if (!pass.look(pid)) break
  return pass
}

/** This one only ever writes at targets. */
function programs(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
}

class Pass implements Writers {
  readonly who: (string | undefined)[]
  hiddenCount = 0
  /** By the last part of the path, which is the same in whatever way a program came to the file, but for hard links. */
  readonly #wanted = new Map<string, Wanted[]>()
  #descriptorsLeft = descriptorsMax

  constructor(files: readonly string[]) {
    this.who = files.map(() => undefined)
    files.forEach((file, index) => {
      const stat = quietly(() => lstatSync(fsPath(file), { bigint: true, throwIfNoEntry: false }))
      if (stat === undefined) return
      const name = nameOf(file)
      this.#wanted.set(name, [...(this.#wanted.get(name) ?? []), { index, device: stat.dev, inode: stat.ino }])
    })
  }

  /** False once enough was seen. */
  look(pid: string): boolean {
    const folder = `/proc/${pid}/fd`
    let descriptors: readonly string[] = []
    try {
      descriptors = readdirSync(folder)
    } catch (thrown) {
      if (errnoOf(thrown) === 'EACCES' && !isKernels(pid)) this.hiddenCount++
    }
    for (const descriptor of descriptors) this.#lookAt(`${folder}/${descriptor}`, pid)
    this.#descriptorsLeft -= descriptors.length
    return this.#descriptorsLeft > 0
  }

  /** The link is read first: asking for the file behind it could hang where its server is gone. */
  #lookAt(link: string, pid: string): void {
    const target = quietly(() => decodeName(readlinkSync(link, 'buffer')))
    const wanted = target === undefined ? undefined : this.#wanted.get(nameOf(target))
    if (wanted === undefined) return
    const mode = quietly(() => lstatSync(link, { bigint: true }))?.mode ?? 0n
    const file = (mode & ownerMayWrite) === 0n ? undefined : quietly(() => statSync(link, { bigint: true }))
    for (const { index, device, inode } of wanted)
      if (file?.dev === device && file.ino === inode) this.who[index] ??= nameOfProgram(pid)
  }
}

/** Threads of the kernel have no descriptors, and no command line. */
function isKernels(pid: string): boolean {
  return quietly(() => readFileSync(`/proc/${pid}/cmdline`, 'latin1')) === ''
}

function nameOfProgram(pid: string): string {
  const name = quietly(() => readFileSync(`/proc/${pid}/comm`, 'latin1').trim()) ?? 'a program'
  return `${name} (process ${pid})`
}

function quietly<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    // It ended, closed the file or may not be looked into: nothing of it is known, and that keeps no file waiting.
    return undefined
  }
}
