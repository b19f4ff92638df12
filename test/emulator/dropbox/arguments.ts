/** The routes' arguments as our types, after the Stone description has checked them and filled in what was left out. */
import { z } from 'zod'
import type { Commit, WriteMode } from './tree.ts'

const mode = z
  .object({ '.tag': z.enum(['add', 'overwrite', 'update']), update: z.string().optional() })
  .transform((value): WriteMode =>
    value['.tag'] === 'update' ? { kind: 'update', rev: value.update ?? '' } : { kind: value['.tag'] },
  )

const commitFields = {
  path: z.string(),
  mode,
  autorename: z.boolean(),
  strict_conflict: z.boolean(),
  client_modified: z.string().nullish(),
}
const commitInfo = z.object(commitFields)
const contentHash = z.string().nullish()
const piece = z.object({ session_id: z.string(), offset: z.number() })
const sessionType = z
  .object({ '.tag': z.string() })
  .nullish()
  .transform((value) => (value?.['.tag'] === 'concurrent' ? ('concurrent' as const) : ('sequential' as const)))

export const getMetadataArg = z.object({ path: z.string(), include_deleted: z.boolean() })
export const listFolderArg = z.object({
  path: z.string(),
  recursive: z.boolean(),
  include_deleted: z.boolean(),
  limit: z.number().nullish(),
})
export const cursorArg = z.object({ cursor: z.string() })
export const longpollArg = z.object({ cursor: z.string(), timeout: z.number() })
export const createFolderArg = z.object({ path: z.string(), autorename: z.boolean() })
export const deleteArg = z.object({ path: z.string(), parent_rev: z.string().nullish() })
export const relocationArg = z.object({ from_path: z.string(), to_path: z.string(), autorename: z.boolean() })
export const downloadArg = z.object({ path: z.string(), rev: z.string().nullish() })
export const revisionsArg = z.object({
  path: z.string(),
  mode: z.object({ '.tag': z.string() }),
  limit: z.number(),
  before_rev: z.string().nullish(),
})
export const restoreArg = z.object({ path: z.string(), rev: z.string() })
export const uploadArg = z.object({ ...commitFields, content_hash: contentHash })
export const startArg = z.object({ close: z.boolean(), session_type: sessionType, content_hash: contentHash })
export const startBatchArg = z.object({ num_sessions: z.number(), session_type: sessionType })
export const appendArg = z.object({ cursor: piece, close: z.boolean(), content_hash: contentHash })
export const appendBatchArg = z.object({
  entries: z.array(z.object({ cursor: piece, length: z.number(), close: z.boolean() })),
  content_hash: contentHash,
})
export const finishArg = z.object({ cursor: piece, commit: commitInfo, content_hash: contentHash })
export const finishBatchArg = z.object({ entries: z.array(finishArg) })

export function commitOf(info: z.output<typeof commitInfo>): Commit {
  return {
    path: info.path,
    mode: info.mode,
    autorename: info.autorename,
    strictConflict: info.strict_conflict,
    clientModified: info.client_modified ?? undefined,
  }
}
