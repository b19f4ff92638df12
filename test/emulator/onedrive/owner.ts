/** The owner at onedrive.com: looks and edits past the API. */
import type { OwnedObject, OwnersHand } from '../core/provider.ts'
import type { Drive } from './drive.ts'
import { below, type FolderItem, type Item, lastVersion, pathOf } from './tree.ts'

export class OwnersDrive implements OwnersHand {
  readonly #drive: Drive

  constructor(drive: Drive) {
    this.#drive = drive
  }

  list(): readonly OwnedObject[] {
    return [...below(this.#drive.tree.root)].slice(1).map((item) => {
      const path = pathOf(item)
      if (item.kind === 'folder') return { path, kind: 'folder', size: 0, hash: undefined }
      const { size, hashes } = lastVersion(item).bytes
      return { path, kind: 'file', size, hash: hashes.quickxor }
    })
  }

  read(path: string): Buffer | undefined {
    const item = this.#find(path)
    return item?.kind === 'file' ? this.#drive.store.readWhole(lastVersion(item).bytes) : undefined
  }

  write(path: string, content: Uint8Array | string, modifiedMs?: number): void {
    const names = namesOf(path)
    const { tree, store } = this.#drive
    let folder: FolderItem = tree.root
    for (const name of names.slice(0, -1)) folder = tree.makeFolder(folder, name, 'replace').folder
    const times = modifiedMs === undefined ? {} : { modifiedMs }
    tree.put(folder, names.at(-1) ?? '', { bytes: store.put(content), times, conflict: 'replace' })
  }

  remove(path: string): void {
    const item = this.#find(path)
    if (item === undefined) throw new Error(`nothing at ${path}`)
    this.#drive.tree.remove(item)
  }

  rename(path: string, name: string): void {
    const item = this.#find(path)
    if (item?.parent === undefined) throw new Error(`nothing at ${path}`)
    this.#drive.tree.place(item, item.parent, name)
  }

  /** How many versions there are. */
  versions(path: string): number {
    const item = this.#find(path)
    return item?.kind === 'file' ? item.versions.length : 0
  }

  /** Whole seconds or more, as the client set it. Unit: ms. */
  modifiedMs(path: string): number | undefined {
    return this.#find(path)?.times.modifiedMs
  }

  #find(path: string): Item | undefined {
    let item: Item | undefined = this.#drive.tree.root
    for (const name of namesOf(path)) item = item?.kind === 'folder' ? this.#drive.tree.child(item, name) : undefined
    return item
  }
}

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '')
}
