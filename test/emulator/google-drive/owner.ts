/** The owner at drive.google.com: looks and edits past the API, by paths from My Drive's root. Of twins he sees the oldest first. */
import type { OwnedObject, OwnersHand } from '../core/provider.ts'
import type { Account } from './account.ts'
import { folderType, type Item, newId } from './items.ts'

export class OwnersDrive implements OwnersHand {
  readonly #account: Account

  constructor(account: Account) {
    this.#account = account
  }

  list(): readonly OwnedObject[] {
    return [...this.#below(this.#account.items.root, '')]
  }

  /** All items at one path, oldest first. */
  itemsAt(path: string): readonly Item[] {
    const names = path.split('/').filter((name) => name !== '')
    return names.reduce<readonly Item[]>(
      (items, name) => items.flatMap((item) => [...item.children].filter((child) => isHere(child, name))),
      [this.#account.items.root],
    )
  }

  read(path: string): Buffer | undefined {
    const bytes = this.itemsAt(path)
      .find((item) => item.revisions.length > 0)
      ?.revisions.at(-1)?.bytes
    return bytes === undefined ? undefined : this.#account.store.readWhole(bytes)
  }

  write(path: string, content: Uint8Array | string, modifiedMs?: number): void {
    const { items, store } = this.#account
    const names = path.split('/').filter((name) => name !== '')
    const name = names.pop() ?? ''
    const folder = names.reduce((parent, part) => this.#folderIn(parent, part), items.root)
    const found = [...folder.children].find((child) => isHere(child, name) && child.revisions.length > 0)
    const file = found ?? items.add({ name }, folder, { id: newId(), isOurs: false })
    items.write(file, store.put(content), false)
    if (modifiedMs !== undefined) items.change(file, { modifiedMs })
  }

  makeFolder(path: string): Item {
    const names = path.split('/').filter((name) => name !== '')
    return names.reduce((parent, part) => this.#folderIn(parent, part), this.#account.items.root)
  }

  /** Another one of the same name. */
  makeTwin(path: string): Item {
    const name = path.slice(path.lastIndexOf('/') + 1)
    const parent = this.makeFolder(path.slice(0, path.lastIndexOf('/')))
    return this.#account.items.add({ name, mimeType: folderType }, parent, { id: newId(), isOurs: false })
  }

  /** Into the trash. */
  remove(path: string): void {
    const [item] = this.itemsAt(path)
    if (item === undefined) throw new Error(`nothing at ${path}`)
    this.#account.items.change(item, { trashed: true })
  }

  rename(path: string, name: string): void {
    const [item] = this.itemsAt(path)
    if (item === undefined) throw new Error(`nothing at ${path}`)
    this.#account.items.change(item, { name })
  }

  *#below(folder: Item, above: string): Generator<OwnedObject> {
    for (const child of folder.children) {
      if (child.trashedMs !== undefined) continue
      const path = `${above}/${child.name}`
      const bytes = child.revisions.at(-1)?.bytes
      if (bytes !== undefined) yield { path, kind: 'file', size: bytes.size, hash: bytes.hashes.md5 }
      else yield { path, kind: 'folder', size: 0, hash: undefined }
      yield* this.#below(child, path)
    }
  }

  #folderIn(parent: Item, name: string): Item {
    const found = [...parent.children].find((child) => isHere(child, name) && child.mimeType === folderType)
    return found ?? this.#account.items.add({ name, mimeType: folderType }, parent, { id: newId(), isOurs: false })
  }
}

function isHere(item: Item, name: string): boolean {
  return item.name === name && item.trashedMs === undefined
}
