/** Box's answers as our types: the only file that reads them. What is not as described is tried again and told. */
import { z } from 'zod'
import { parsedAnswer } from '../answer-shape.ts'
import type { Refused } from './errors.ts'

/** What is asked of a file: `fields` replaces the standard set, so all of it is named. */
export const fileFields = ['type', 'id', 'etag', 'name', 'size', 'sha1', 'content_modified_at', 'parent', 'item_status']

export interface FileNode {
  readonly kind: 'file'
  readonly id: string
  readonly etag: string
  readonly name: string
  /** Hex; without it there is no proof. */
  readonly sha1: string | undefined
  readonly size: number
  /** Whole seconds. */
  readonly mtimeNs: bigint
  /** Of the folder it lies in. */
  readonly parentId: string | undefined
}

export interface FolderNode {
  readonly kind: 'folder'
  readonly id: string
  readonly name: string
}

/** Sizes come as floats at times ("1.0034e+14"). */
const bytes = z.number().min(0).transform(Math.round)

const file = z
  .object({
    id: z.string().min(1),
    etag: z.string().min(1),
    name: z.string().min(1),
    sha1: z.string().nullish(),
    size: bytes,
    content_modified_at: z.string().nullish(),
    parent: z.object({ id: z.string() }).nullish(),
  })
  .transform((value): FileNode => ({
    kind: 'file',
    id: value.id,
    etag: value.etag,
    name: value.name,
    sha1: value.sha1 ?? undefined,
    size: value.size,
    mtimeNs: BigInt(Math.floor((Date.parse(value.content_modified_at ?? '') || 0) / 1000)) * 1_000_000_000n,
    parentId: value.parent?.id,
  }))
const folder = z
  .object({ id: z.string().min(1), name: z.string() })
  .transform(({ id, name }): FolderNode => ({ kind: 'folder', id, name }))

export function parseFile(what: string, value: unknown): FileNode {
  return parsed(what, file, value)
}

export function parseFolder(what: string, value: unknown): FolderNode {
  return parsed(what, folder, value)
}

/** What an upload and a commit answer. */
export function parseUploaded(what: string, value: unknown): FileNode {
  return parsed(what, z.object({ entries: z.tuple([file]) }), value).entries[0]
}

const kind = z.object({ type: z.string() })
/** undefined for web links, and for kinds that do not exist yet. */
const node = z.unknown().transform((value, context): FileNode | FolderNode | undefined => {
  const type = kind.safeParse(value).data?.type
  if (type !== 'file' && type !== 'folder') return undefined
  const result = type === 'file' ? file.safeParse(value) : folder.safeParse(value)
  if (result.success) return result.data
  context.issues.push({ code: 'custom', message: `is no ${type}`, input: value })
  return z.NEVER
})
const page = z.object({ entries: z.array(node), next_marker: z.string().nullish() })

export interface Page {
  readonly nodes: readonly (FileNode | FolderNode)[]
  /** Of the next page, undefined behind the last. */
  readonly marker: string | undefined
}

export function parsePage(what: string, value: unknown): Page {
  const { entries, next_marker: marker } = parsed(what, page, value)
  const nodes = entries.filter((entry) => entry !== undefined)
  return { nodes, marker: marker === null || marker === '' ? undefined : marker }
}

/** What has a name already. */
export interface Held {
  readonly kind: 'file' | 'folder'
  readonly id: string
  readonly name: string
  /** Of a file. */
  readonly etag: string | undefined
  readonly sha1: string | undefined
}

const held = z
  .object({
    type: z.string(),
    id: z.string().min(1),
    name: z.string(),
    etag: z.string().nullish(),
    sha1: z.string().nullish(),
  })
  .transform(({ type, id, name, etag, sha1 }): Held => ({
    kind: type === 'folder' ? 'folder' : 'file',
    id,
    name,
    etag: etag ?? undefined,
    sha1: sha1 ?? undefined,
  }))
/** Described as an array; of a file it is an object. */
const conflicts = z.object({
  conflicts: z.union([z.tuple([held], held), held.transform((one): [Held, ...Held[]] => [one])]),
})

/** What stands in the way of an `item_name_in_use`. Of several, which there should not be, the oldest. */
export function parseConflict(what: string, { context }: Refused): Held {
  const [first, ...others] = parsed(what, conflicts, context).conflicts
  return others.reduce((oldest, one) => (Number(one.id) < Number(oldest.id) ? one : oldest), first)
}

export interface OpenSession {
  readonly id: string
  readonly partBytes: number
  readonly partCount: number
}

const session = z
  .object({ id: z.string().min(1), part_size: z.int().min(1), total_parts: z.int().min(1) })
  .transform((value): OpenSession => ({ id: value.id, partBytes: value.part_size, partCount: value.total_parts }))

export function parseSession(what: string, value: unknown): OpenSession {
  return parsed(what, session, value)
}

/** The live session that a `session_conflict` tells of; undefined where it tells none. */
export function sessionInConflict({ context }: Refused): OpenSession | undefined {
  return session.safeParse(context['session']).data
}

/** A part as Box lists it, which is also how it wants it in a commit. */
export interface Part {
  readonly part_id: string
  readonly offset: number
  readonly size: number
  /** Hex. */
  readonly sha1: string
}

const part = z.object({
  part_id: z.string().min(1),
  offset: z.number().min(0),
  size: z.number().min(1),
  sha1: z.string(),
})

export function parsePart(what: string, value: unknown): Part {
  return parsed(what, z.object({ part }), value).part
}

export interface PartPage {
  readonly parts: readonly Part[]
  /** Of all pages together. */
  readonly total: number | undefined
}

export function parseParts(what: string, value: unknown): PartPage {
  const { entries, total_count } = parsed(
    what,
    z.object({ entries: z.array(part), total_count: z.number().nullish() }),
    value,
  )
  return { parts: entries, total: total_count ?? undefined }
}

export interface User {
  readonly id: string
  readonly login: string
  readonly usedBytes: number
  /** undefined where there is no bound. */
  readonly freeBytes: number | undefined
  readonly fileBytesMax: number | undefined
}

const user = z.object({
  id: z.string().min(1),
  login: z.string(),
  space_amount: z.number().nullish(),
  space_used: z.number().min(0).nullish(),
  max_upload_size: z.number().nullish(),
})

/** Enterprises without a bound say 10^18, or less than nothing. */
const boundlessBytes = 1e17

export function parseUser(what: string, value: unknown): User {
  const { id, login, space_amount, space_used, max_upload_size } = parsed(what, user, value)
  const used = Math.round(space_used ?? 0)
  const isBound = typeof space_amount === 'number' && space_amount >= 0 && space_amount < boundlessBytes
  const isMax = typeof max_upload_size === 'number' && max_upload_size > 0
  return {
    id,
    login,
    usedBytes: used,
    freeBytes: isBound ? Math.max(0, Math.round(space_amount) - used) : undefined,
    fileBytesMax: isMax ? Math.round(max_upload_size) : undefined,
  }
}

function parsed<T>(what: string, schema: z.ZodType<T>, value: unknown): T {
  return parsedAnswer({ what, cloud: 'Box' }, schema, value)
}
