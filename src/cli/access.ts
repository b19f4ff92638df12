/**
 * What the service's user may do with folders, tried out as that user: a child process that becomes the user and, where the service
 * runs, enters its view of the file system first. Only root can do so; anybody else is told about himself.
 */
import { spawnSync } from 'node:child_process'
import { z } from 'zod'
import { errnoOf } from '../base/errors.ts'

/** A dead network disk answers never. Unit: ms. */
const answerMsMax = 10_000

export interface Wish {
  readonly path: string
  readonly need: 'read' | 'write'
}

export interface Grant {
  readonly path: string
  /** `ok`, or the errno name of what failed. */
  readonly answer: string
  /** The name the answer is about, where it is not the folder itself. */
  readonly at: string | null
}

const grants = z.array(z.object({ path: z.string(), answer: z.string(), at: z.string().nullable() }))

/** Entries of a source that are tried one by one: enough to meet the usual mistake, one file with mode 0600. */
const entriesMax = 200

/** Runs in the child, given to `node --eval`: needs nothing that the service's view of the file system might not show. */
const probe = `
const fs = require('node:fs')
const { wishes, entriesMax } = JSON.parse(process.argv[1])
const tried = (path, mode) => {
  try { fs.accessSync(path, mode); return 'ok' } catch (thrown) { return thrown.code }
}
const { R_OK, W_OK, X_OK } = fs.constants
const answerOf = ({ path, need }) => {
  const answer = tried(path, need === 'write' ? R_OK | W_OK | X_OK : R_OK | X_OK)
  if (answer !== 'ok' || need === 'write') return { path, answer, at: null }
  for (const entry of fs.readdirSync(path, { withFileTypes: true }).slice(0, entriesMax)) {
    if (!entry.isFile() && !entry.isDirectory()) continue
    const at = path + '/' + entry.name
    const inside = tried(at, entry.isDirectory() ? R_OK | X_OK : R_OK)
    if (inside !== 'ok') return { path, answer: inside, at }
  }
  return { path, answer, at: null }
}
process.stdout.write(JSON.stringify(wishes.map(answerOf)))
`

export interface Eyes {
  /** null: those of whoever asks. */
  readonly user: { readonly uid: number; readonly gid: number } | null
  /** Process whose view of the file system is used. */
  readonly pid: number | undefined
}

export type Tried =
  | { readonly kind: 'answered'; readonly grant: Grant }
  /** Nothing in time, as from a dead disk. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'failed'; readonly reason: string }

export function tryAccess(wish: Wish, { user, pid }: Eyes): Tried {
  const asked = JSON.stringify({ wishes: [wish], entriesMax })
  const words = [
    ...(pid === undefined ? [] : ['nsenter', `--target=${pid}`, '--mount', '--']),
    // Not by Node itself, which refuses to take over a user's groups.
    ...(user === null ? [] : ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--']),
    ...[process.execPath, '--eval', probe, '--', asked],
  ]
  const ended = spawnSync(words[0] ?? '', words.slice(1), { encoding: 'utf8', timeout: answerMsMax, cwd: '/' })
  if (errnoOf(ended.error) === 'ETIMEDOUT') return { kind: 'silent' }
  try {
    const [grant] = grants.parse(JSON.parse(ended.stdout))
    if (grant !== undefined) return { kind: 'answered', grant }
  } catch {
    // No answer of ours; what it said instead is the reason.
  }
  return { kind: 'failed', reason: ended.error?.message ?? ended.stderr.trim() }
}
