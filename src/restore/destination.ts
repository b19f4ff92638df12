/** The folder that is restored to: what stands at a place in it, and files that are put there whole or not at all. Where content comes from is not its concern. */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, open, unlink } from 'node:fs/promises'
import { errnoOf } from '../base/errors.ts'
import { folderOf, nameOf, sourcePath } from '../base/path.ts'
import { Folder } from './folder-chain.ts'
import { temporaryName, Unfinished } from './unfinished.ts'
import type { Wanted } from './wanted.ts'

export type Standing =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'file'; readonly size: number; readonly mtimeNs: bigint }
  | { readonly kind: 'link' }
  | { readonly kind: 'obstacle'; readonly what: string }

/** Folders with names that are not durable yet; beyond, they are made so in between. */
const unsyncedMax = 1000

export class Destination {
  readonly #root: string
  readonly #unsynced = new Set<string>()

  /** @param root absolute; made when the first file is put there. */
  constructor(root: string) {
    this.#root = root
  }

  /** @throws RangeError for a place that would leave the folder (F60), OwnerError where something is in the way above it. */
  async look(place: string): Promise<Standing> {
    const folder = await Folder.enter(this.#root, folderOf(sourcePath(place)), false)
    if (folder === undefined) return { kind: 'nothing' }
    try {
      const stat = await lstat(folder.at(nameOf(place)), { bigint: true })
      if (stat.isFile()) return { kind: 'file', size: Number(stat.size), mtimeNs: stat.mtimeNs }
      if (stat.isSymbolicLink()) return { kind: 'link' }
      return { kind: 'obstacle', what: stat.isDirectory() ? 'a folder' : 'a special file' }
    } catch (thrown) {
      if (errnoOf(thrown) === 'ENOENT') return { kind: 'nothing' }
      throw thrown
    } finally {
      await folder.close()
    }
  }

  /** The sha256 of the file that stands there, in hex; undefined where none does any more. */
  async hash(place: string, signal: AbortSignal): Promise<string | undefined> {
    const folder = await Folder.enter(this.#root, folderOf(place), false)
    if (folder === undefined) return undefined
    try {
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
      await using file = await open(folder.at(nameOf(place)), flags)
      const sha256 = createHash('sha256')
      for await (const piece of file.createReadStream({ autoClose: false, signal }) as AsyncIterable<Buffer>)
        sha256.update(piece)
      return sha256.digest('hex')
    } catch (thrown) {
      if (errnoOf(thrown) === 'ENOENT' || errnoOf(thrown) === 'ELOOP') return undefined
      throw thrown
    } finally {
      await folder.close()
    }
  }

  /** Begins a file, or goes on with what an earlier run left of this very content. @throws OwnerError while another run writes it. */
  async begin(place: string, wanted: Wanted, signal: AbortSignal): Promise<Unfinished> {
    const path = folderOf(sourcePath(place))
    const folder = await Folder.enter(this.#root, path, true)
    if (folder === undefined) throw new Error(`${place}: its folder is missing although it was made`)
    try {
      return await Unfinished.open(folder, { name: nameOf(place), wanted, onPlaced: () => this.#changed(path) }, signal)
    } catch (thrown) {
      await folder.close()
      throw thrown
    }
  }

  /** The file is there: what a run that was killed right after left beside it goes. */
  async tidy(place: string, wanted: Wanted): Promise<void> {
    const folder = await Folder.enter(this.#root, folderOf(place), false)
    if (folder === undefined) return
    try {
      await unlink(folder.at(temporaryName({ name: nameOf(place), wanted })))
    } catch (thrown) {
      // Nothing was left, which is usual; what cannot be taken away from a folder that only may be read does no harm.
      if (errnoOf(thrown) === undefined) throw thrown
    } finally {
      await folder.close()
    }
  }

  async #changed(path: string): Promise<void> {
    this.#unsynced.add(path)
    if (this.#unsynced.size > unsyncedMax) await this.settle()
  }

  /** Makes every name durable that was put there. */
  async settle(): Promise<void> {
    const paths = [...this.#unsynced]
    this.#unsynced.clear()
    for (const path of paths) {
      const folder = await Folder.enter(this.#root, path, false)
      await folder?.sync()
      await folder?.close()
    }
  }
}
