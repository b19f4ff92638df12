/** The routes that look, list, move and remove; all but those that bring bytes in. */
import { Transform } from 'node:stream'
import type { Answer } from '../core/provider.ts'
import { plainText } from '../core/provider.ts'
import { owner, type View } from './account.ts'
import { folderType, type Item, isTrashed, sharedDriveId } from './items.ts'
import { invalid, notFound, Refused, refusedAs } from './refusal.ts'
import { fileResource, revisionResource } from './resources.ts'
import { sentFile } from './wishes.ts'

type Json = Readonly<Record<string, unknown>>

export function get(view: View, id: string): Json {
  return shown(view, view.find(id))
}

export function shown(view: View, item: Item): Json {
  return fileResource(item, view.account.items, view.exchange)
}

export function generateIds({ account }: View, count: number): Json {
  if (!Number.isSafeInteger(count) || count < 1 || count > 1000) throw invalid('Invalid value for count.')
  return { kind: 'drive#generatedIds', space: 'drive', ids: Array.from({ length: count }, () => account.issueId()) }
}

/** A folder, or a file of nothing. */
export function create(view: View, text: string): Item {
  const { id, parents, wish } = sentFile(text)
  const { account, exchange } = view
  const isFolder = wish.mimeType === folderType
  if (isFolder && id !== undefined && account.rules.idsOfFolders === 'refused')
    throw new Refused(400, 'invalid', 'Generated IDs are not supported for this type.')
  if (exchange.behaves('id-in-use') !== undefined) throw refusedAs('id-in-use')
  const parent = view.folder(parents?.[0] ?? 'root')
  const item = account.items.add(wish, parent, { id: account.idFor(id), isOurs: true })
  if (!isFolder && !(wish.mimeType ?? '').startsWith('application/vnd.google-apps.'))
    account.items.write(item, account.store.put(''), false)
  if (wish.modifiedMs !== undefined) item.modifiedMs = wish.modifiedMs
  return item
}

export function update(view: View, id: string, text: string): Item {
  const item = view.find(id)
  applied(view, item, text)
  return item
}

/** Metadata and parents of a change. Without a time of its own, what changes is changed now. */
export function applied(view: View, item: Item, text: string): void {
  const { items, clock } = view.account
  const { wish, parents } = sentFile(text)
  if (parents !== undefined)
    throw new Refused(
      403,
      'fieldNotWritable',
      'The parents field is not directly writable in update requests. Use the addParents and removeParents parameters instead.',
    )
  const to = view.param('addParents')
  const from = view.param('removeParents')
  if (from !== undefined && to === undefined && item.parent?.id === from) items.move(item, items.root)
  if (to !== undefined) {
    if (item.parent !== undefined && from !== item.parent.id && to !== item.parent.id)
      throw new Refused(403, 'cannotAddParent', 'Increasing the number of parents is not allowed')
    items.move(item, view.folder(to))
  }
  const isRename = wish.name !== undefined && wish.name !== item.name
  items.change(item, wish)
  if (wish.modifiedMs === undefined && isRename && item.revisions.length > 0) item.modifiedMs = clock.nowMs()
}

export function copy(view: View, id: string, text: string): Item {
  const source = view.find(id)
  const { wish, parents, id: wanted } = sentFile(text)
  const { account } = view
  const bytes = source.revisions.at(-1)?.bytes
  if (bytes === undefined) throw new Refused(403, 'cannotCopyFile', 'This file cannot be copied by the user.')
  const parent = parents?.[0] === undefined ? (source.parent ?? account.items.root) : view.folder(parents[0])
  const named = { ...wish, name: wish.name ?? `Copy of ${source.name}`, mimeType: source.mimeType }
  const item = account.items.add(named, parent, { id: account.idFor(wanted), isOurs: true })
  account.items.write(item, bytes, false)
  if (wish.modifiedMs !== undefined) item.modifiedMs = wish.modifiedMs
  return item
}

/** For good, past the trash. */
export function remove(view: View, id: string): void {
  const item = view.find(id)
  if (item.parent === undefined) throw refusedAs('forbidden')
  view.account.items.purge(item)
}

export function emptyTrash({ account: { items } }: View): void {
  for (const item of [...items.all()]) if (item.trashedMs !== undefined && item.parent !== undefined) items.purge(item)
}

export function about(view: View): Json {
  const { items, rules } = view.account
  const trashBytes = [...items.all()]
    .filter((item) => isTrashed(item))
    .reduce((sum, { revisions }) => sum + (revisions.at(-1)?.bytes.size ?? 0), 0)
  return {
    kind: 'drive#about',
    user: owner,
    storageQuota: {
      ...(rules.quotaBytes === Infinity ? {} : { limit: String(rules.quotaBytes) }),
      usage: String(items.usedBytes),
      usageInDrive: String(items.usedBytes),
      usageInDriveTrash: String(trashBytes),
    },
    importFormats: {},
    exportFormats: {},
    maxUploadSize: '5497558138880',
    appInstalled: true,
    canCreateDrives: true,
  }
}

export function revisions(view: View, id: string): Json {
  const item = view.find(id)
  return {
    kind: 'drive#revisionList',
    revisions: item.revisions.map((revision) => revisionResource(revision, item)),
  }
}

export function drive(id: string): Json {
  if (id !== sharedDriveId) throw new Refused(404, 'notFound', `Shared drive not found: ${id}`)
  return { kind: 'drive#drive', id, name: 'Shared' }
}

/** Content of an item, or of one of its revisions. */
export function download(view: View, id: string, revisionId?: string): Answer {
  const { exchange, account } = view
  const item = view.find(id)
  const revision =
    revisionId === undefined ? item.revisions.at(-1) : item.revisions.find((each) => each.id === revisionId)
  if (revision === undefined) {
    if (revisionId !== undefined) throw notFound(revisionId)
    throw new Refused(403, 'fileNotDownloadable', 'Only files with binary content can be downloaded.')
  }
  if (exchange.behaves('abusive') !== undefined && view.param('acknowledgeAbuse') !== 'true') throw refusedAs('abusive')
  const { bytes } = revision
  const range = rangeOf(exchange.headers.range, bytes.size)
  if (range === 'unsatisfiable')
    return plainText(416, 'Request range not satisfiable', { 'Content-Range': `bytes */${bytes.size}` })
  const { from, until } = range ?? { from: 0, until: bytes.size }
  const headers = { 'Content-Type': item.mimeType }
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
