/** Where folders really are, and which of them lie inside which: symlinks, bind mounts and folders that do not exist yet included. */
import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { errnoOf } from '../base/errors.ts'
import { showKey, type Where } from './problems.ts'

/** A folder of the configuration under the role it plays there. */
export interface Place {
  readonly role: 'source' | 'target' | 'state'
  readonly where: Where
  /** In words, `source "papers"`. */
  readonly title: string
  /** Absolute, as written. */
  readonly path: string
}

export interface Clash {
  readonly where: Where
  readonly message: string
}

interface RealPlace extends Place {
  readonly real: string
  /** device:inode of the folder, undefined while it does not exist. */
  readonly id: string | undefined
  /** device:inode of every folder above it. */
  readonly above: ReadonlySet<string>
}

/** Symlinks followed before a chain counts as a loop; Linux's own bound. */
const linksMax = 40

/** Every pair of folders that cannot work together, reported at the later of both. `lineOf` names the line of the other. */
export function clashesOf(places: readonly Place[], lineOf: (where: Where) => number): Clash[] {
  const real = places.map(locate)
  return real.flatMap((later, at) =>
    real.slice(0, at).flatMap((earlier) => {
      const problem = clashOf(earlier, later)
      if (problem === undefined) return []
      const other = `${earlier.title} (${shownPath(earlier)}, ${showKey(earlier.where)} in line ${lineOf(earlier.where)})`
      return [
        {
          where: later.where,
          message: `${later.title} (${shownPath(later)}) ${problem.relation} ${other}: ${problem.why}`,
        },
      ]
    }),
  )
}

function clashOf(earlier: RealPlace, later: RealPlace): { relation: string; why: string } | undefined {
  if (isSame(earlier, later)) return { relation: 'is the same folder as', why: whyOf(earlier, later) }
  if (isInside(later, earlier)) return { relation: 'lies inside', why: whyOf(earlier, later) }
  if (isInside(earlier, later)) return { relation: 'contains', why: whyOf(earlier, later) }
  return undefined
}

function whyOf(one: Place, other: Place): string {
  const roles = [one.role, other.role]
  if (roles.includes('state')) return 'the state folder belongs to the daemon alone; put it elsewhere'
  if (!roles.includes('target')) return 'each file would be two; give one source, and choose with select'
  if (!roles.includes('source')) return 'two targets would write over each other; give them separate folders'
  return 'copies would be copied again without end; put the target elsewhere'
}

function isSame(one: RealPlace, other: RealPlace): boolean {
  return one.real === other.real || (one.id !== undefined && one.id === other.id)
}

/** By name, and by identity for what a bind mount shows under a second name. */
function isInside(inner: RealPlace, outer: RealPlace): boolean {
  const prefix = outer.real === '/' ? '/' : `${outer.real}/`
  return inner.real.startsWith(prefix) || (outer.id !== undefined && inner.above.has(outer.id))
}

function shownPath(place: RealPlace): string {
  return place.real === place.path ? place.path : `${place.path} -> ${place.real}`
}

function locate(place: Place): RealPlace {
  const real = realPath(place.path, linksMax)
  const above = new Set<string>()
  for (let folder = dirname(real), last = real; folder !== last; last = folder, folder = dirname(folder)) {
    const id = idOf(folder)
    if (id !== undefined) above.add(id)
  }
  return { ...place, real, id: idOf(real), above }
}

function idOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    // Absent or out of reach: it has no identity that could be compared.
    return undefined
  }
}

/** The path without symlinks, also where its end does not exist yet; as written where it cannot be resolved. */
function realPath(path: string, linksLeft: number): string {
  try {
    return realpathSync(path)
  } catch (thrown) {
    if (errnoOf(thrown) !== 'ENOENT' || path === '/' || linksLeft === 0) return path
  }
  const link = danglingLink(path)
  if (link !== undefined) return realPath(resolve(dirname(path), link), linksLeft - 1)
  return join(realPath(dirname(path), linksLeft), path.slice(path.lastIndexOf('/') + 1))
}

/** What a symlink to a folder that does not exist yet points to. */
function danglingLink(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined
  } catch {
    // Not there at all.
    return undefined
  }
}
