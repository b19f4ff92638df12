/** Graph's answers as our types: the only file that reads them. What is not as described is tried again and told. */
import { z } from 'zod'
import { parsedAnswer } from '../answer-shape.ts'

export type DriveType = 'personal' | 'business' | 'documentLibrary'

export interface FileNode {
  readonly kind: 'file'
  readonly id: string
  readonly name: string
  readonly parentId: string | undefined
  readonly size: number
  /** Of its content where the drive tells it (cTag), else of anything about it (eTag). */
  readonly revision: string
  readonly eTag: string
  /** Whole seconds are sure. */
  readonly mtimeNs: bigint
  /** quickXorHash; a file without bytes may have none, and SharePoint tells it a little later at times. */
  readonly hash: string | undefined
  /** Good for an hour at most, and without a login. */
  readonly downloadUrl: string | undefined
}

export interface FolderNode {
  readonly kind: 'folder'
  readonly id: string
  readonly name: string
  readonly parentId: string | undefined
  readonly driveId: string | undefined
  readonly driveType: DriveType | undefined
}

/** Notebooks, links to other drives and whatever comes: they have a name. */
export interface OtherNode {
  readonly kind: 'other' | 'deleted'
  readonly id: string
  readonly name: string
}

export type Node = FileNode | FolderNode | OtherNode

const driveType = z.enum(['personal', 'business', 'documentLibrary']).optional().catch(undefined)
const reference = z.looseObject({ id: z.string().optional(), driveId: z.string().optional(), driveType })
const item = z.looseObject({
  id: z.string().min(1),
  name: z.string().optional(),
  size: z.int().min(0).optional(),
  eTag: z.string().optional(),
  cTag: z.string().optional(),
  parentReference: reference.optional(),
  fileSystemInfo: z.looseObject({ lastModifiedDateTime: z.string().optional() }).nullish(),
  file: z.looseObject({ hashes: z.looseObject({ quickXorHash: z.string().optional() }).nullish() }).nullish(),
  folder: z.looseObject({}).nullish(),
  package: z.looseObject({}).nullish(),
  deleted: z.looseObject({}).nullish(),
  '@microsoft.graph.downloadUrl': z.string().optional(),
})

const node = item.transform((value): Node => {
  const { id, name = '', parentReference: parent } = value
  if (value.deleted) return { kind: 'deleted', id, name }
  if (value.package) return { kind: 'other', id, name }
  if (value.folder) {
    return { kind: 'folder', id, name, parentId: parent?.id, driveId: parent?.driveId, driveType: parent?.driveType }
  }
  return value.file ? fileOf(value) : { kind: 'other', id, name }
})

function fileOf(value: z.output<typeof item>): FileNode {
  const { id, name = '', size = 0, eTag = '', cTag } = value
  return {
    kind: 'file',
    id,
    name,
    parentId: value.parentReference?.id,
    size,
    revision: cTag ?? eTag,
    eTag,
    mtimeNs: BigInt(Date.parse(value.fileSystemInfo?.lastModifiedDateTime ?? '') || 0) * 1_000_000n,
    hash: value.file?.hashes?.quickXorHash,
    downloadUrl: value['@microsoft.graph.downloadUrl'],
  }
}

/** Whether this is the version that an entry or a receipt is of; listings of changes lack the tag of the content. */
export function isVersion({ revision, eTag }: FileNode, known: string): boolean {
  return known === revision || known === eTag
}

export function parseNode(what: string, value: unknown): Node {
  return parsed(what, node, value)
}

export function parseFile(what: string, value: unknown): FileNode {
  const file = node.transform((found, context): FileNode => {
    if (found.kind === 'file') return found
    context.issues.push({ code: 'custom', message: 'is no file', input: found })
    return z.NEVER
  })
  return parsed(what, file, value)
}

export function parseFolder(what: string, value: unknown): FolderNode {
  const folder = node.transform((found, context): FolderNode => {
    if (found.kind === 'folder') return found
    context.issues.push({ code: 'custom', message: 'is no folder', input: found })
    return z.NEVER
  })
  return parsed(what, folder, value)
}

const page = z.looseObject({ value: z.array(node), '@odata.nextLink': z.string().optional() })

export interface Page {
  readonly nodes: readonly Node[]
  /** Whole address of the next one. */
  readonly next: string | undefined
}

export function parsePage(what: string, value: unknown): Page {
  const { value: nodes, '@odata.nextLink': next } = parsed(what, page, value)
  return { nodes, next }
}

const ranges = z.array(z.string().regex(/^\d+-\d*$/))

export function parseSession(what: string, value: unknown): string {
  return parsed(what, z.looseObject({ uploadUrl: z.string().min(1) }), value).uploadUrl
}

/** Where a session wants to go on; undefined where it has all bytes. */
export function parseExpected(what: string, value: unknown): number | undefined {
  const [first] = parsed(what, z.looseObject({ nextExpectedRanges: ranges }), value).nextExpectedRanges
  return first === undefined ? undefined : Number.parseInt(first, 10)
}

const drive = z.looseObject({
  id: z.string().min(1),
  driveType,
  webUrl: z.string().optional(),
  owner: z
    .looseObject({
      user: z.looseObject({ email: z.string().optional(), displayName: z.string().optional() }).optional(),
    })
    .nullish(),
  quota: z
    .looseObject({
      total: z.number().optional(),
      used: z.number().optional(),
      remaining: z.number().optional(),
      state: z.string().optional(),
    })
    .nullish(),
})

export interface DriveFacts {
  readonly id: string
  readonly type: DriveType
  readonly webUrl: string
  /** Whose it is, in words. */
  readonly owner: string
  readonly usedBytes: number
  readonly freeBytes: number | undefined
}

export function parseDrive(what: string, value: unknown): DriveFacts {
  const { id, driveType: type = 'business', webUrl = '', owner, quota } = parsed(what, drive, value)
  const { total = 0, used = 0, remaining, state } = quota ?? {}
  // Some drives tell no quota, or one of nothing.
  const free = total === 0 ? undefined : (remaining ?? Math.max(0, total - used))
  return {
    id,
    type,
    webUrl,
    owner: owner?.user?.email ?? owner?.user?.displayName ?? `drive ${id}`,
    usedBytes: used,
    freeBytes: state === 'exceeded' ? 0 : free,
  }
}

function parsed<T>(what: string, schema: z.ZodType<T>, value: unknown): T {
  return parsedAnswer({ what, cloud: 'Microsoft Graph' }, schema, value)
}
