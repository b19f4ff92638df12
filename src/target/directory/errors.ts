/** What each failure of a directory means for the lane, and what the owner is told: one table, no other file decides. */
import { errnoOf, FanfoldError } from '../../base/errors.ts'
import { type Next, TargetError } from '../target.ts'

const retry: Next = { kind: 'retry' }
const park: Next = { kind: 'park' }
const sourceChanged: Next = { kind: 'source-changed' }
const missing: Next = { kind: 'pause-target', state: 'missing' }
const full: Next = { kind: 'pause-target', state: 'full' }
const readOnly: Next = { kind: 'pause-target', state: 'read-only' }
const paused: Next = { kind: 'pause-target', state: 'paused' }

export interface Rule {
  readonly next: Next
  /** What the owner can do; `{root}` is the target's folder. */
  readonly step: string
}

const mount = 'mount the disk that belongs there, or create the folder {root} again if it was meant to go'
const space = 'free space or give the target more; it goes on by itself'
const permit = 'make {root} writable for the daemon’s user; it goes on by itself'
const again = 'it is tried again'
const rename = 'rename the file at its source'
const retryCommand = 'then run "fanfold retry"'

/** `side:word` -> rule; `*:word` where the side makes no difference. Words in capitals are the system's, the others our own. */
export const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['root:ENOENT', { next: missing, step: mount }],
  ['root:ENOTDIR', { next: missing, step: mount }],
  ['root:ELOOP', { next: missing, step: mount }],
  ['root:another-place', { next: missing, step: mount }],
  ['*:ENODEV', { next: missing, step: mount }],
  ['*:ENXIO', { next: missing, step: mount }],
  ['*:ESTALE', { next: missing, step: mount }],
  ['*:ENOTCONN', { next: missing, step: mount }],
  ['*:EHOSTDOWN', { next: missing, step: mount }],
  ['*:ENOSPC', { next: full, step: space }],
  ['*:EDQUOT', { next: full, step: space }],
  [
    '*:EROFS',
    {
      next: readOnly,
      step: 'mount {root} writable; it goes on by itself. Where only the service cannot write, run "fanfold install" and restart the service',
    },
  ],
  ['root:EACCES', { next: readOnly, step: permit }],
  ['root:EPERM', { next: readOnly, step: permit }],
  ['root:in-the-way', { next: paused, step: `move it away, ${retryCommand}` }],
  ['root:link-in-path', { next: paused, step: `remove the link, ${retryCommand}` }],
  ['object:EACCES', { next: park, step: `allow the daemon’s user to write there, ${retryCommand}` }],
  [
    'object:EPERM',
    { next: park, step: `allow the daemon’s user to change it (lsattr shows a protected one), ${retryCommand}` },
  ],
  ['object:in-the-way', { next: park, step: `move it away at the target, ${retryCommand}` }],
  ['object:EISDIR', { next: park, step: `move the folder away at the target, ${retryCommand}` }],
  ['object:ENOTDIR', { next: park, step: `move the file away at the target, ${retryCommand}` }],
  ['object:ENOTEMPTY', { next: park, step: `move the folder away at the target, ${retryCommand}` }],
  ['object:link-in-path', { next: park, step: `copies never follow a link: remove it at the target, ${retryCommand}` }],
  [
    'object:reserved',
    { next: park, step: 'names beginning with ".fanfold-" are Fanfold’s own there: change "at" or the name' },
  ],
  ['object:gone', { next: park, step: 'run "fanfold resync" to have it copied anew' }],
  ['object:edited', { next: park, step: `it is not ours to remove any more: remove it yourself, ${retryCommand}` }],
  ['object:changed', { next: retry, step: again }],
  ['object:unproven', { next: retry, step: again }],
  ['object:ENOENT', { next: retry, step: again }],
  [
    '*:EFBIG',
    {
      next: park,
      step: 'the file system there takes no file so large: select smaller files or use another file system',
    },
  ],
  ['object:ENAMETOOLONG', { next: park, step: `the name is too long for the file system there: ${rename}` }],
  ['object:EINVAL', { next: park, step: `the file system there refuses the name: ${rename}` }],
  ['object:EILSEQ', { next: park, step: `the file system there cannot hold the name’s characters: ${rename}` }],
  [
    'object:EXDEV',
    { next: park, step: 'another file system is mounted below {root}: make it a target of its own, or unmount it' },
  ],
  ['*:EIO', { next: retry, step: 'the disk reports a fault (see dmesg); it is tried again' }],
  ['*:EMFILE', { next: retry, step: again }],
  ['*:ENFILE', { next: retry, step: again }],
  ['*:ENOMEM', { next: retry, step: again }],
  ['source:changed', { next: sourceChanged, step: 'it is copied when it has settled' }],
  ['source:ENOENT', { next: sourceChanged, step: 'it is gone or was replaced' }],
  ['source:ENOTDIR', { next: sourceChanged, step: 'it is gone or was replaced' }],
  ['source:ELOOP', { next: sourceChanged, step: 'a link stands in its place' }],
  ['source:unproven', { next: sourceChanged, step: 'what was read is not what was digested; it is digested anew' }],
  ['source:EACCES', { next: park, step: `allow the daemon’s user to read it, ${retryCommand}` }],
  ['source:EPERM', { next: park, step: `allow the daemon’s user to read it, ${retryCommand}` }],
])

/** What nobody foresaw is tried again: the delay grows, and the message says what it was. */
const unforeseen: Rule = { next: retry, step: again }

export function ruleOf(code: string): Rule {
  const word = code.slice(code.indexOf(':') + 1)
  return rules.get(code) ?? rules.get(`*:${word}`) ?? unforeseen
}

/** The failure `code` of target `name` as the lane takes it. @param found what was found, in words. */
export function directoryError(
  code: string,
  found: string,
  at: { readonly name: string; readonly root: string; readonly cause?: unknown },
): TargetError {
  const rule = ruleOf(code)
  return new TargetError(rule.next, `${at.name}: ${found}; ${rule.step.replaceAll('{root}', at.root)}`, {
    cause: at.cause,
  })
}

/** Whatever was thrown, unless it knows already what follows from it. A thread that died is as good as a disk that did not answer: again. */
export function asDirectoryError(thrown: unknown, at: { readonly name: string; readonly root: string }): FanfoldError {
  if (thrown instanceof FanfoldError) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return directoryError(errnoOf(thrown) ?? 'object:unknown', message, { ...at, cause: thrown })
}
