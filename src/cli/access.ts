/**
 * What the service's user may do with folders, tried out as that user: a child process that becomes the user and, where the service
 * runs, enters its view of the file system first. Only root can do so; anybody else is told about himself.
 */
import { spawnSync } from 'node:child_process'
import { z } from 'zod'

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
const { wishes, user, entriesMax } = JSON.parse(process.argv[1])
if (user !== null) {
  process.initgroups(user.name, user.gid)
  process.setgid(user.gid)
  process.setuid(user.uid)
}
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
  readonly user: { readonly name: string; readonly uid: number; readonly gid: number } | null
  /** Process whose view of the file system is used. */
  readonly pid: number | undefined
}

/** One answer per wish; undefined where no answer came in time, as from a dead disk. */
export function tryAccess(wishes: readonly Wish[], { user, pid }: Eyes): readonly Grant[] | undefined {
  const asked = JSON.stringify({ wishes, user, entriesMax })
  const child = [process.execPath, '--eval', probe, '--', asked]
  const words = pid === undefined ? child : ['nsenter', `--target=${pid}`, '--mount', '--', ...child]
  const ended = spawnSync(words[0] ?? '', words.slice(1), { encoding: 'utf8', timeout: answerMsMax, cwd: '/' })
  if (ended.status !== 0) return undefined
  try {
    return grants.parse(JSON.parse(ended.stdout))
  } catch {
    // No answer of ours: as good as none.
    return undefined
  }
}
