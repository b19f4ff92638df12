/** What each fault of a file that is sent to a cloud means for the lane: one table for all of them, no other file decides. */
import { errnoOf } from '../base/errors.ts'
import { type Next, TargetError } from './target.ts'

const park: Next = { kind: 'park' }
const sourceChanged: Next = { kind: 'source-changed' }
const unreadable: { readonly next: Next; readonly step: string } = {
  next: park,
  step: 'allow the daemon’s user to read it, then run "fanfold retry"',
}

/** Faults of the file that is sent: the system's words and our own. */
export const sourceFaults: ReadonlyMap<string, { readonly next: Next; readonly step: string }> = new Map([
  ['changed', { next: sourceChanged, step: 'it is copied when it has settled' }],
  ['unproven', { next: sourceChanged, step: 'what was read is not what was digested; it is digested anew' }],
  ['ENOENT', { next: sourceChanged, step: 'it is gone or was replaced' }],
  ['ENOTDIR', { next: sourceChanged, step: 'it is gone or was replaced' }],
  ['ELOOP', { next: sourceChanged, step: 'a link stands in its place' }],
  ['ENXIO', { next: sourceChanged, step: 'it is no file any more' }],
  ['EACCES', unreadable],
  ['EPERM', unreadable],
])

/** A fault of the source's file. @param what whose, where. */
export function sourceFault(what: string, word: string, cause?: unknown): TargetError {
  const { next, step } = sourceFaults.get(word) ?? { next: { kind: 'retry' }, step: 'it is tried again' }
  return new TargetError(next, `${what}: the file cannot be sent (${word}); ${step}`, { cause })
}

export function asSourceFault(what: string, thrown: unknown): unknown {
  const errno = errnoOf(thrown)
  return errno === undefined || thrown instanceof TargetError ? thrown : sourceFault(what, errno, thrown)
}
