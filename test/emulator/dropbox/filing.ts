/** The routes that look, list, move and remove; all but those that bring bytes in. */
import { Transform } from 'node:stream'
import type { Exchange } from '../core/exchange.ts'
import { type Answer, plainText } from '../core/provider.ts'
import type { Account } from './account.ts'
import {
  createFolderArg,
  cursorArg,
  deleteArg,
  downloadArg,
  getMetadataArg,
  listFolderArg,
  longpollArg,
  relocationArg,
  restoreArg,
  revisionsArg,
} from './arguments.ts'
import { deletedMetadata, fileMetadata, folderMetadata, metadata } from './metadata.ts'
import { Refused, under } from './refusal.ts'
import { type FileNode, lastRevision, lowerOf, type Node, type Revision, timestamp, type Tree } from './tree.ts'

type Json = Readonly<Record<string, unknown>>

export function getMetadata({ tree }: Account, arg: unknown, exchange: Exchange): Json {
  const { path, include_deleted } = getMetadataArg.parse(arg)
  if (exchange.behaves('not-found') !== undefined) throw new Refused(['path', 'not_found'])
  const old = revisionAt(tree, path)
  if (old !== undefined) return { '.tag': 'file', ...fileMetadata(old.node, exchange, old.revision) }
  const deleted = include_deleted ? tree.deleted(path.toLowerCase()) : undefined
  if (deleted !== undefined) return deletedMetadata(deleted)
  return metadata(
    under('path', () => tree.find(path)),
    exchange,
  )
}

export function listFolder({ listings }: Account, arg: unknown, exchange: Exchange): unknown {
  return listings.start(listFolderArg.parse(arg), exchange)
}

export function listFolderContinue({ listings }: Account, arg: unknown, exchange: Exchange): unknown {
  return listings.continue(cursorArg.parse(arg).cursor, exchange)
}

export function latestCursor({ listings }: Account, arg: unknown): Json {
  return { cursor: listings.latest(listFolderArg.parse(arg)) }
}

export async function longpoll({ listings, tree, clock }: Account, arg: unknown, exchange: Exchange): Promise<Json> {
  const { cursor, timeout } = longpollArg.parse(arg)
  if (exchange.behaves('reset-cursor') !== undefined) throw new Refused(['reset'])
  const changed = new AbortController()
  const look = (): void => {
    if (listings.isBehind(cursor)) changed.abort()
  }
  look()
  tree.changed.on('change', look)
  try {
    await clock.sleep(timeout * 1000, AbortSignal.any([changed.signal, exchange.signal]))
  } finally {
    tree.changed.off('change', look)
  }
  const backoff = exchange.behaves('backoff')?.value
  return { changes: changed.signal.aborted, ...(backoff === undefined ? {} : { backoff: Number(backoff) }) }
}

export async function createFolder(account: Account, arg: unknown, exchange: Exchange): Promise<Json> {
  const { path, autorename } = createFolderArg.parse(arg)
  const make = (): Json => ({ metadata: folderMetadata(account.tree.makeFolder(path, autorename)) })
  return prefixed('path', account.commit(exchange, make))
}

export async function remove(account: Account, arg: unknown, exchange: Exchange): Promise<Json> {
  const { path, parent_rev } = deleteArg.parse(arg)
  const node = under('path_lookup', () => account.tree.find(path))
  // The tag of a revision that is not current any more is not documented.
  const isOther = node.kind === 'file' && typeof parent_rev === 'string' && lastRevision(node).rev !== parent_rev
  if (isOther) throw new Refused(['path_write', 'conflict', 'file'])
  expectFew(account, node)
  const told = { metadata: metadata(node, exchange) }
  await account.commit(exchange, () => account.tree.remove(node))
  return told
}

export async function move(account: Account, arg: unknown, exchange: Exchange): Promise<Json> {
  const { from_path, to_path, autorename } = relocationArg.parse(arg)
  const node = relocated(account, from_path)
  if (`${to_path.toLowerCase()}/`.startsWith(`${lowerOf(node)}/`) && node.kind === 'folder') {
    throw new Refused(['cant_move_folder_into_itself'])
  }
  const moved = (): Json => ({ metadata: metadata(account.tree.move(node, to_path, autorename), exchange) })
  return prefixed('to', account.commit(exchange, moved))
}

export async function copy(account: Account, arg: unknown, exchange: Exchange): Promise<Json> {
  const { from_path, to_path, autorename } = relocationArg.parse(arg)
  const node = relocated(account, from_path)
  const copied = (): Json => ({ metadata: metadata(account.tree.copy(node, to_path, autorename), exchange) })
  return prefixed('to', account.commit(exchange, copied))
}

export function listRevisions({ tree }: Account, arg: unknown, exchange: Exchange): Json {
  const { path, limit, before_rev } = revisionsArg.parse(arg)
  const deleted = tree.deleted(path.toLowerCase())
  const node = deleted === undefined ? under('path', () => tree.find(path)) : deleted.node
  if (node.kind === 'folder') throw new Refused(['path', 'not_file'])
  const until =
    typeof before_rev === 'string' ? node.revisions.findIndex(({ rev }) => rev === before_rev) : node.revisions.length
  if (until < 0) throw new Refused(['invalid_before_rev'])
  const shown = node.revisions.slice(Math.max(0, until - limit), until).reverse()
  return {
    is_deleted: deleted !== undefined,
    ...(deleted === undefined ? {} : { server_deleted: timestamp(deleted.atMs) }),
    entries: shown.map((revision) => fileMetadata(node, exchange, revision)),
    has_more: until > limit,
  }
}

export async function restore(account: Account, arg: unknown, exchange: Exchange): Promise<Json> {
  const { path, rev } = restoreArg.parse(arg)
  const found = account.tree.revision(rev)
  if (found === undefined) throw new Refused(['invalid_revision'])
  const { bytes, clientModified } = found.revision
  const commit = {
    path,
    mode: { kind: 'overwrite' },
    autorename: false,
    strictConflict: false,
    clientModified,
  } as const
  const restored = (): Json => fileMetadata(account.tree.put(commit, bytes), exchange)
  return prefixed('path_write', account.commit(exchange, restored))
}

/** Bytes in the body, metadata in a header. `describe` checks and encodes the latter. */
export function download(account: Account, arg: unknown, exchange: Exchange, describe: (file: Json) => string): Answer {
  const { path, rev } = downloadArg.parse(arg)
  if (exchange.behaves('restricted-content') !== undefined) throw new Refused(['path', 'restricted_content'])
  if (exchange.behaves('unsupported-file') !== undefined) throw new Refused(['unsupported_file'])
  const { node, revision } = downloadable(account.tree, typeof rev === 'string' ? `rev:${rev}` : path)
  const { bytes } = revision
  const range = rangeOf(exchange.headers.range, bytes.size)
  const headers = {
    'Content-Type': 'application/octet-stream',
    'Accept-Ranges': 'bytes',
    'Dropbox-API-Result': describe(fileMetadata(node, exchange, revision)),
  }
  if (range === 'unsatisfiable') return plainText(416, '', { 'Content-Range': `bytes */${bytes.size}` })
  const { from, until } = range ?? { from: 0, until: bytes.size }
  const body = {
    bytes: until - from,
    open: () => {
      const content = account.store.read(bytes, from, until)
      return exchange.behaves('corrupt') === undefined ? content : content.pipe(corrupting())
    },
  }
  if (range === undefined) return { status: 200, headers, body }
  return { status: 206, headers: { ...headers, 'Content-Range': `bytes ${from}-${until - 1}/${bytes.size}` }, body }
}

function downloadable(tree: Tree, path: string): { readonly node: FileNode; readonly revision: Revision } {
  const old = revisionAt(tree, path)
  if (old !== undefined) return old
  const node = under('path', () => tree.find(path))
  if (node.kind === 'folder') throw new Refused(['path', 'not_file'])
  return { node, revision: lastRevision(node) }
}

/** What "rev:..." names; undefined for another kind of path. @throws Refused path/not_found */
function revisionAt(tree: Tree, path: string): { readonly node: FileNode; readonly revision: Revision } | undefined {
  if (!path.startsWith('rev:')) return undefined
  const found = tree.revision(path.slice('rev:'.length))
  if (found === undefined) throw new Refused(['path', 'not_found'])
  return found
}

function rangeOf(
  header: string | undefined,
  size: number,
): { readonly from: number; readonly until: number } | 'unsatisfiable' | undefined {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  const [first, last] = [found?.[1] ?? '', found?.[2] ?? '']
  if (first === '' && last === '') return undefined
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const until = first === '' || last === '' ? size : Math.min(size, Number(last) + 1)
  return from < until ? { from, until } : 'unsatisfiable'
}

/** Turns the first byte around. */
function corrupting(): Transform {
  let isFirst = true
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const bent = Buffer.from(chunk)
      if (isFirst) bent[0] = (bent[0] ?? 0) ^ 0xff
      isFirst = false
      done(null, bent)
    },
  })
}

function relocated(account: Account, path: string): Node {
  const node = under('from_lookup', () => account.tree.find(path))
  if (node === account.tree.root) throw new Refused(['from_lookup', 'malformed_path'])
  expectFew(account, node)
  return node
}

function expectFew({ tree, rules }: Account, node: Node): void {
  if (node.kind === 'folder' && tree.countFiles(node) > rules.filesPerCallMax) throw new Refused(['too_many_files'])
}

async function prefixed<Result>(tag: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Refused) throw new Refused([tag, ...error.tags], error.leaf)
    throw error
  }
}
