/** Google's answers as our types: the only file that reads them. What is not as described is tried again and told. */
import { z } from 'zod'
import { parsedAnswer } from '../answer-shape.ts'

export const folderType = 'application/vnd.google-apps.folder'

/** All that is ever asked of an item; without it Google tells its name and little else. */
export const nodeFields =
  'id,name,mimeType,parents,createdTime,modifiedTime,trashed,explicitlyTrashed,size,md5Checksum,sha256Checksum,headRevisionId'

interface Item {
  readonly id: string
  readonly name: string
  /** Undefined for what is nobody's child: a root, or what was shared. */
  readonly parentId: string | undefined
  readonly createdMs: number
  /** By itself or with a folder above. */
  readonly isTrashed: boolean
  /** Somebody put it there, not only a folder above. */
  readonly isTrashedItself: boolean
}

export interface FileNode extends Item {
  readonly kind: 'file'
  /** Of its content. */
  readonly revision: string
  readonly size: number
  /** Milliseconds. */
  readonly mtimeNs: bigint
  /** Hex. Every file with bytes has one. */
  readonly md5: string | undefined
  /** Hex; a part of older files has none. */
  readonly sha256: string | undefined
}

export interface FolderNode extends Item {
  readonly kind: 'folder'
}

export type DriveNode = FileNode | FolderNode

const item = z.object({
  id: z.string().min(1),
  name: z.string(),
  mimeType: z.string(),
  parents: z.array(z.string()).optional(),
  createdTime: z.string(),
  modifiedTime: z.string(),
  trashed: z.boolean().optional(),
  explicitlyTrashed: z.boolean().optional(),
  // 64 bits are text in Google's JSON.
  size: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional(),
  md5Checksum: z.string().optional(),
  sha256Checksum: z.string().optional(),
  headRevisionId: z.string().optional(),
})

/** undefined for Google's own documents, shortcuts and whatever else has no bytes. */
const node = item.transform((value): DriveNode | undefined => {
  const { id, name, parents, size, md5Checksum: md5, sha256Checksum: sha256 } = value
  const common = {
    id,
    name,
    parentId: parents?.[0],
    createdMs: msOf(value.createdTime),
    isTrashed: value.trashed === true,
    isTrashedItself: value.explicitlyTrashed === true,
  }
  if (value.mimeType === folderType) return { kind: 'folder', ...common }
  const revision = value.headRevisionId ?? md5
  if (size === undefined || revision === undefined) return undefined
  const mtimeNs = BigInt(msOf(value.modifiedTime)) * 1_000_000n
  return { kind: 'file', ...common, revision, size: Number(size), mtimeNs, md5, sha256 }
})

export function parseNode(what: string, value: unknown): DriveNode | undefined {
  return parsed(what, node, value)
}

export interface Page {
  readonly nodes: readonly DriveNode[]
  readonly next: string | undefined
}

/** `incompleteSearch` means that something is left out, nobody knows what. */
const page = z.object({
  files: z.array(node),
  nextPageToken: z.string().optional(),
  incompleteSearch: z.literal(false).optional(),
})
export const pageFields = `nextPageToken,incompleteSearch,files(${nodeFields})`

export function parsePage(what: string, value: unknown): Page {
  const { files, nextPageToken } = parsed(what, page, value)
  return { nodes: files.filter((one) => one !== undefined), next: nextPageToken }
}

export function parseIds(what: string, value: unknown): readonly string[] {
  return parsed(what, z.object({ ids: z.array(z.string().min(1)).min(1) }), value).ids
}

const about = z.object({
  user: z.object({
    permissionId: z.string().min(1),
    emailAddress: z.string().optional(),
    displayName: z.string().optional(),
  }),
  storageQuota: z.object({ limit: z.string().optional(), usage: z.string().optional() }).optional(),
})
export const aboutFields = 'user(permissionId,emailAddress,displayName),storageQuota(limit,usage)'

export interface About {
  readonly id: string
  /** For people. */
  readonly name: string
  readonly used: number
  /** undefined where nothing bounds it. */
  readonly limit: number | undefined
}

export function parseAbout(what: string, value: unknown): About {
  const { user, storageQuota } = parsed(what, about, value)
  const { limit, usage } = storageQuota ?? {}
  const name = user.emailAddress ?? user.displayName ?? user.permissionId
  return {
    id: user.permissionId,
    name,
    used: Number(usage ?? 0),
    limit: limit === undefined ? undefined : Number(limit),
  }
}

function msOf(time: string): number {
  return Date.parse(time) || 0
}

function parsed<T>(what: string, schema: z.ZodType<T>, value: unknown): T {
  return parsedAnswer({ what, cloud: 'Google Drive' }, schema, value)
}
