/** Dropbox's answers as our types: the only file that reads them. What is not as described is tried again and told. */
import { z } from 'zod'
import { parsedAnswer } from '../answer-shape.ts'

const file = z.object({
  id: z.string().min(4),
  name: z.string().min(1),
  path_lower: z.string().optional(),
  path_display: z.string().optional(),
  rev: z.string().min(9),
  size: z.int().min(0),
  client_modified: z.string(),
  content_hash: z.string().optional(),
})
const folder = z.object({
  id: z.string().min(1),
  name: z.string(),
  path_lower: z.string().optional(),
  path_display: z.string().optional(),
})

export interface FileNode {
  readonly kind: 'file'
  readonly id: string
  readonly name: string
  readonly pathLower: string
  /** Only its last name is sure to be spelled as it is. */
  readonly pathDisplay: string
  readonly rev: string
  readonly size: number
  /** Whole seconds. */
  readonly mtimeNs: bigint
  /** Declared optional, and then there is no proof. */
  readonly contentHash: string | undefined
}

export interface FolderNode {
  readonly kind: 'folder'
  readonly id: string
  readonly name: string
  readonly pathLower: string
  readonly pathDisplay: string
}

export type Node = FileNode | FolderNode

const fileNode = file.transform((value): FileNode => ({
  kind: 'file',
  id: value.id,
  name: value.name,
  pathLower: value.path_lower ?? '',
  pathDisplay: value.path_display ?? '',
  rev: value.rev,
  size: value.size,
  mtimeNs: BigInt(Date.parse(value.client_modified) || 0) * 1_000_000n,
  contentHash: value.content_hash,
}))
const folderNode = folder.transform((value): FolderNode => ({
  kind: 'folder',
  id: value.id,
  name: value.name,
  pathLower: value.path_lower ?? '',
  pathDisplay: value.path_display ?? '',
}))
const tag = z.object({ '.tag': z.string() })

/** undefined for what is deleted, and for kinds that do not exist yet. */
const anyNode = z.unknown().transform((value, context): Node | undefined => {
  const kind = tag.safeParse(value).data?.['.tag']
  if (kind !== 'file' && kind !== 'folder') return undefined
  const parsed = kind === 'file' ? fileNode.safeParse(value) : folderNode.safeParse(value)
  if (parsed.success) return parsed.data
  context.issues.push({ code: 'custom', message: `is no ${kind}`, input: value })
  return z.NEVER
})

export function parseFile(what: string, value: unknown): FileNode {
  return parsed(what, fileNode, value)
}

export function parseNode(what: string, value: unknown): Node | undefined {
  return parsed(what, anyNode, value)
}

/** What a move, a removal and a new folder answer. */
export function parseMoved(what: string, value: unknown): FileNode {
  return parsed(what, z.object({ metadata: fileNode }), value).metadata
}

export function parseCreated(what: string, value: unknown): FolderNode {
  return parsed(what, z.object({ metadata: folderNode }), value).metadata
}

const page = z.object({ entries: z.array(anyNode), cursor: z.string(), has_more: z.boolean() })

export interface Page {
  readonly nodes: readonly Node[]
  readonly cursor: string
  readonly hasMore: boolean
}

export function parsePage(what: string, value: unknown): Page {
  const { entries, cursor, has_more } = parsed(what, page, value)
  return { nodes: entries.filter((node) => node !== undefined), cursor, hasMore: has_more }
}

export function parseSession(what: string, value: unknown): string {
  return parsed(what, z.object({ session_id: z.string().min(1) }), value).session_id
}

export function parseSessions(what: string, value: unknown, count: number): readonly string[] {
  return parsed(what, z.object({ session_ids: z.array(z.string().min(1)).length(count) }), value).session_ids
}

/** One entry of a batch: what came to be, or why nothing did. */
export type BatchEntry =
  { readonly kind: 'success'; readonly value: unknown } | { readonly kind: 'failure'; readonly failure: unknown }

const batchEntry = z
  .looseObject({ '.tag': z.string() })
  .transform((value): BatchEntry =>
    value['.tag'] === 'success' ? { kind: 'success', value } : { kind: 'failure', failure: value['failure'] },
  )

/** In the order of asking. */
export function parseBatch(what: string, value: unknown, count: number): readonly BatchEntry[] {
  return parsed(what, z.object({ entries: z.array(batchEntry).length(count) }), value).entries
}

export function parseAccount(what: string, value: unknown): { readonly id: string; readonly email: string } {
  const { account_id, email } = parsed(what, z.object({ account_id: z.string().min(1), email: z.string() }), value)
  return { id: account_id, email }
}

const usage = z.object({
  used: z.number().min(0),
  allocation: z.looseObject({ '.tag': z.string(), allocated: z.number().optional(), used: z.number().optional() }),
})

/** A team's space is shared by all its members. */
export function parseSpace(what: string, value: unknown): { readonly used: number; readonly free: number | undefined } {
  const { used, allocation } = parsed(what, usage, value)
  const { allocated } = allocation
  if (allocated === undefined) return { used, free: undefined }
  return { used, free: Math.max(0, allocated - (allocation['.tag'] === 'team' ? (allocation.used ?? used) : used)) }
}

function parsed<T>(what: string, schema: z.ZodType<T>, value: unknown): T {
  return parsedAnswer({ what, cloud: 'Dropbox' }, schema, value)
}
