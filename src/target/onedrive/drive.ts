/** The drive a target works in and its calls by item: addresses, and what is asked with them. Which calls make up a copy is not said here. */
import type { GraphApi, GraphCall } from './api.ts'
import { isRefused } from './errors.ts'
import { type DriveType, type FolderNode, type Node, parseFolder, parseNode } from './metadata.ts'

/** The folder that holds the copies. */
export interface Root {
  readonly driveId: string
  readonly type: DriveType
  readonly id: string
  /** What counts for the length of a path before its first name, UTF-16 units. */
  readonly unitsAbove: number
  /** It is the drive's own root, where SharePoint keeps some names for itself. */
  readonly isDriveRoot: boolean
}

export class Drive {
  readonly #api: GraphApi
  readonly root: Root

  constructor(api: GraphApi, root: Root) {
    this.#api = api
    this.root = root
  }

  /** Personal drives touch nothing but the time; others keep another version of the whole file for it. */
  get keepsTimesApart(): boolean {
    return this.root.type === 'personal'
  }

  /** @param rest behind the item: `/children`. */
  path(id: string, rest = ''): string {
    return `${drivePath(this.root.driveId)}/items/${encodeURIComponent(id)}${rest}`
  }

  /** By name in a folder. The last colon is always there: without it a folder called `photo` is taken for something else. */
  named(parentId: string, name: string, rest = ''): string {
    return this.path(parentId, `:/${encodeURIComponent(name)}:${rest}`)
  }

  /** What is at an address; undefined where nothing is. */
  async at(verb: string, path: string, signal: AbortSignal): Promise<Node | undefined> {
    try {
      const node = parseNode(this.#api.what(verb), await this.#api.json(verb, { method: 'GET', path }, signal))
      return node.kind === 'deleted' ? undefined : node
    } catch (thrown) {
      if (isRefused(thrown, 404)) return undefined
      throw thrown
    }
  }

  makeFolder(verb: string, parentId: string, name: string, signal: AbortSignal): Promise<FolderNode> {
    return madeFolder(this.#api, { verb, path: this.path(parentId, '/children'), name }, signal)
  }

  async change(
    verb: string,
    id: string,
    body: GraphCall['body'],
    signal: AbortSignal,
    times: NonNullable<GraphCall['times']> = {},
  ): Promise<Node> {
    const call = { method: 'PATCH', path: this.path(id), body, times } as const
    return parseNode(this.#api.what(verb), await this.#api.json(verb, call, signal))
  }
}

export function drivePath(driveId: string): string {
  return `/drives/${encodeURIComponent(driveId)}`
}

/** Never `rename`, which would make a second one, nor `replace`. @throws Refused nameAlreadyExists */
export async function madeFolder(
  api: GraphApi,
  { verb, path, name }: { readonly verb: string; readonly path: string; readonly name: string },
  signal: AbortSignal,
): Promise<FolderNode> {
  const body = { name, folder: {}, '@microsoft.graph.conflictBehavior': 'fail' }
  return parseFolder(api.what(verb), await api.json(verb, { method: 'POST', path, body }, signal))
}
