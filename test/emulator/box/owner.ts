/** The owner at box.com: looks and edits past the API. */
import type { OwnedObject, OwnersHand } from '../core/provider.ts'
import type { Account } from './account.ts'
import { below, type FolderItem, lastVersion, pathOf } from './tree.ts'

export class OwnersFolder implements OwnersHand {
  readonly #account: Account

  constructor(account: Account) {
    this.#account = account
  }

  list(): readonly OwnedObject[] {
    return [...below(this.#account.tree.root)].slice(1).map((item) => {
      const path = pathOf(item)
      if (item.kind === 'folder') return { path, kind: 'folder', size: 0, hash: undefined }
      const { size, hashes } = lastVersion(item).bytes
      return { path, kind: 'file', size, hash: hashes.sha1 }
    })
  }

  read(path: string): Buffer | undefined {
    const { tree, store } = this.#account
    const item = tree.peek(path)
    // Looked up as Box does, but seen as it is spelled.
    return item?.kind === 'file' && pathOf(item) === normal(path) ? store.readWhole(lastVersion(item).bytes) : undefined
  }

  /** How many versions there are. */
  versions(path: string): number {
    const item = this.#account.tree.peek(path)
    return item?.kind === 'file' ? item.versions.length : 0
  }

  write(path: string, content: Uint8Array | string, modifiedMs?: number): void {
    const { tree, store } = this.#account
    const bytes = store.put(content)
    const held = tree.peek(path)
    if (held?.kind === 'file') return tree.addVersion(held, bytes, modifiedMs)
    const names = path.split('/').filter((name) => name !== '')
    tree.addFile(this.#folder(names.slice(0, -1)), names.at(-1) ?? '', bytes, {
      createdMs: undefined,
      modifiedMs,
    })
  }

  remove(path: string): void {
    const item = this.#account.tree.peek(path)
    if (item === undefined) throw new Error(`nothing at ${path}`)
    this.#account.tree.remove(item)
  }

  rename(path: string, name: string): void {
    const item = this.#account.tree.peek(path)
    if (item === undefined) throw new Error(`nothing at ${path}`)
    this.#account.tree.change(item, { name })
  }

  #folder(names: readonly string[]): FolderItem {
    const { tree } = this.#account
    let folder = tree.root
    for (const [depth, name] of names.entries()) {
      const held = tree.peek(names.slice(0, depth + 1).join('/'))
      if (held?.kind === 'file') throw new Error(`a file is at ${held.name}`)
      folder = held ?? tree.addFolder(folder, name)
    }
    return folder
  }
}

function normal(path: string): string {
  return path
    .split('/')
    .filter((name) => name !== '')
    .map((name) => `/${name}`)
    .join('')
}
