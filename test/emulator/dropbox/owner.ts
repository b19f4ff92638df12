/** The owner at dropbox.com: looks and edits past the API. */
import type { OwnedObject, OwnersHand } from '../core/provider.ts'
import type { Account } from './account.ts'
import { below, displayOf, lastRevision, timestamp } from './tree.ts'

export class OwnersFolder implements OwnersHand {
  readonly #account: Account

  constructor(account: Account) {
    this.#account = account
  }

  list(): readonly OwnedObject[] {
    return [...below(this.#account.tree.root)].slice(1).map((node) => {
      const path = displayOf(node)
      if (node.kind === 'folder') return { path, kind: 'folder', size: 0, hash: undefined }
      const { size, hashes } = lastRevision(node).bytes
      return { path, kind: 'file', size, hash: hashes.dropbox }
    })
  }

  read(path: string): Buffer | undefined {
    const node = this.#account.tree.peek(path)
    return node?.kind === 'file' ? this.#account.store.readWhole(lastRevision(node).bytes) : undefined
  }

  write(path: string, content: Uint8Array | string, modifiedMs?: number): void {
    const bytes = this.#account.store.put(content)
    const common = {
      autorename: false,
      strictConflict: false,
      clientModified: modifiedMs === undefined ? undefined : timestamp(modifiedMs),
    }
    this.#account.tree.put({ path, mode: { kind: 'overwrite' }, ...common }, bytes)
  }

  remove(path: string): void {
    const node = this.#account.tree.peek(path)
    if (node === undefined) throw new Error(`nothing at ${path}`)
    this.#account.tree.remove(node)
  }

  rename(path: string, name: string): void {
    const node = this.#account.tree.peek(path)
    if (node === undefined) throw new Error(`nothing at ${path}`)
    this.#account.tree.move(node, `${path.slice(0, path.lastIndexOf('/'))}/${name}`, false)
  }
}
