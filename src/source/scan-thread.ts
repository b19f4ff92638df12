/** The thread that asks the file system about files, so that no slow disk holds up the program. Sees and reports; decides nothing. */
import { lstatSync, realpathSync, type BigIntStats } from 'node:fs'
import { asError, assert, errnoOf } from '../base/errors.ts'
import { decodeName, folderOf, fsPath, joinPath } from '../base/path.ts'
import { serveThread } from '../base/thread.ts'
import { IgnoreRules } from './ignore-rules.ts'
import { mountsBelow } from './mount-table.ts'
import { Mounts } from './mounts.ts'
import { lookAtRoot } from './root-look.ts'
import { looksMax, type Look, type Looks, type Pieces, type RootIdentity, type ScanVerbs } from './scan.ts'
import { writersOf } from './writers.ts'
import { fileStat, isElsewhere, kindOf, Walk, type WalkedRoot } from './walk.ts'

interface OpenRoot extends WalkedRoot {
  readonly identity: RootIdentity
}

const roots = new Map<number, OpenRoot>()
const walks = new Map<number, { walk: Walk; root: OpenRoot; id: number }>()
let nextWalk = 1

function isStillThere({ path, device, inode }: RootIdentity): boolean {
  try {
    const stat = lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false })
    return stat?.dev === device && stat.ino === inode
  } catch {
    // A root that cannot be asked is as good as absent: nothing is concluded from what is missing below it.
    return false
  }
}

function rootOf(id: number): OpenRoot {
  const root = roots.get(id)
  assert(root !== undefined, `scan thread knows no root ${id}`)
  return root
}

function look(root: OpenRoot, paths: readonly string[]): Looks {
  // Asked before and after: a root that went away in between would make all that lies below look deleted (F11).
  if (!isStillThere(root.identity)) return { kind: 'blind' }
  root.rules.refresh()
  const isReal = folderCheck(root)
  const looks = paths.map((path) => (isReal(folderOf(path)) ? lookAt(root, path) : absence(root, path)))
  return isStillThere(root.identity) ? { kind: 'seen', looks } : { kind: 'blind' }
}

/** Is a folder where its path says, and not behind a link (F15)? Asked once per folder for the files of one call. */
function folderCheck(root: OpenRoot): (folder: string) => boolean {
  const known = new Map<string, boolean>()
  return (folder) => {
    let isReal = known.get(folder)
    if (isReal === undefined) known.set(folder, (isReal = isRealFolder(root, folder)))
    return isReal
  }
}

function isRealFolder(root: OpenRoot, folder: string): boolean {
  const path = joinPath(root.path, folder).replace(/\/$/, '')
  try {
    return decodeName(realpathSync.native(fsPath(path), 'buffer')) === path
  } catch {
    // Not to be resolved: looking at the file itself tells whether it is absent or unreadable.
    return true
  }
}

function lookAt(root: OpenRoot, path: string): Look {
  try {
    const stat = lstatSync(fsPath(`${root.path}/${path}`), { bigint: true, throwIfNoEntry: false })
    return stat === undefined ? absence(root, path) : presence(root, path, stat)
  } catch (thrown) {
    return errnoOf(thrown) === 'ENOTDIR' ? absence(root, path) : { kind: 'unreadable', reason: asError(thrown).message }
  }
}

function absence(root: OpenRoot, path: string): Look {
  const mount = root.mounts.missing(path)
  return mount === undefined
    ? { kind: 'absent' }
    : { kind: 'unreadable', reason: `the file system at ${mount} is gone` }
}

function presence(root: OpenRoot, path: string, stat: BigIntStats): Look {
  if (isElsewhere(stat, root)) return { kind: 'ignored' }
  if (stat.isDirectory()) return { kind: 'folder' }
  if (root.rules.why(path, false) !== undefined) return { kind: 'ignored' }
  return stat.isFile() ? { kind: 'file', stat: fileStat(stat) } : { kind: 'skipped', what: kindOf(stat) }
}

function next(number: number): Pieces {
  const found = walks.get(number)
  assert(found !== undefined, `scan thread knows no walk ${number}`)
  if (!isStillThere(found.root.identity)) return { kind: 'blind' }
  const pieces = found.walk.next(looksMax)
  if (!isStillThere(found.root.identity)) return { kind: 'blind' }
  return { kind: 'pieces', pieces, isEnd: found.walk.isEnd }
}

function leave(number: number): null {
  walks.get(number)?.walk.close()
  walks.delete(number)
  return null
}

serveThread<ScanVerbs>({
  identify: ({ path }) => lookAtRoot(path),
  open({ id, identity, ignore, oneFileSystem, mounts }) {
    const { path, device } = identity
    const onlyDevice = oneFileSystem ? device : undefined
    roots.set(id, {
      identity,
      path,
      rules: new IgnoreRules(path, ignore),
      mounts: new Mounts(path, device, mounts),
      onlyDevice,
    })
    return null
  },
  close({ id }) {
    for (const [number, walk] of walks) if (walk.id === id) leave(number)
    roots.delete(id)
    return null
  },
  mounts({ id, forget }) {
    const { path, rules, mounts } = rootOf(id)
    for (const folder of forget) mounts.forget(folder)
    return mountsBelow(path).filter(({ folder }) => rules.why(folder, true) === undefined)
  },
  writers({ id, paths }) {
    const { path: root } = rootOf(id)
    const { who, hiddenCount } = writersOf(paths.map((path) => `${root}/${path}`))
    return { who, hiddenCount }
  },
  look: ({ id, paths }) => look(rootOf(id), paths),
  walk({ id, folder }) {
    const root = rootOf(id)
    walks.set(nextWalk, { walk: new Walk(root, folder), root, id })
    return nextWalk++
  },
  next: ({ walk }) => next(walk),
  leave: ({ walk }) => leave(walk),
})
