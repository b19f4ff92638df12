/** How a file is to be named and timed when its bytes are there: Dropbox's CommitInfo. */
import type { files } from 'dropbox'
import type { LocalCopy } from '../target.ts'

/** Only where nothing is, or only in the place of one version: never over what nobody looked at (F80). */
export type Mode = { readonly kind: 'add' } | { readonly kind: 'update'; readonly rev: string }

export function commitInfo(copy: LocalCopy, path: string, mode: Mode): files.CommitInfo {
  const time = clientModified(copy.mtimeNs)
  return {
    path,
    mode: mode.kind === 'add' ? { '.tag': 'add' } : { '.tag': 'update', update: mode.rev },
    autorename: false,
    mute: true,
    ...(time === undefined ? {} : { client_modified: time }),
  }
}

/** Whole seconds of the years that Dropbox takes; without it the time of the upload stands there. */
function clientModified(mtimeNs: bigint): string | undefined {
  const ms = Number(mtimeNs / 1_000_000n)
  const text = Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : ''
  return /^(19[7-9]|[2-9]\d\d)\d-/.test(text) ? `${text.slice(0, 19)}Z` : undefined
}
