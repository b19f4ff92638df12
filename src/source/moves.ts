/**
 * Finds out which new files are known ones that moved: live, and as well after the program was off (F30, F34). An inode number alone says nothing, since
 * it is given anew at once (F31); with size and time as known, and gone from where it was known, it is that file. One that is still there as well has a
 * second name (F49). Rename cookies are not asked: they say no more than this, and nothing of what happened unseen.
 */
import type { SourcePath } from '../base/path.ts'
import type { Change } from './change.ts'
import type { Believed } from './reconcile.ts'
import { looksMax, type FileStat, type Look } from './scan.ts'
import type { Scanner } from './scanner.ts'

type Put = Extract<Change, { kind: 'put' }>

export interface MovesParts {
  readonly source: string
  readonly believed: Believed
  readonly scanner: Scanner
  /** The root's number at the scan thread; undefined while there is no root. */
  readonly rootId: () => number | undefined
}

export class Moves {
  readonly #parts: MovesParts

  constructor(parts: MovesParts) {
    this.#parts = parts
  }

  /** The same changes, those that are moves as such. */
  async find(changes: readonly Change[]): Promise<readonly Change[]> {
    const whereabouts = new Map<Change, readonly SourcePath[]>()
    for (const change of changes) {
      const known = change.kind === 'put' ? this.#whereabouts(change) : []
      if (known.length > 0) whereabouts.set(change, known)
    }
    if (whereabouts.size === 0) return changes
    const looks = await this.#look([...new Set([...whereabouts.values()].flat())])
    return changes.map((change) => {
      if (change.kind !== 'put') return change
      const from = whereabouts.get(change)?.find((path) => isElsewhere(looks.get(path), change.stat))
      return from === undefined ? change : { ...change, kind: 'move', from }
    })
  }

  /** Where else the file is believed; nowhere, where it is believed in its place as well. */
  #whereabouts({ source, path, stat }: Put): readonly SourcePath[] {
    const paths = this.#parts.believed.moves.whereabouts(source, stat)
    return paths.includes(path) ? [] : paths
  }

  /** A root that is not what it was says nothing: then nothing has moved. */
  async #look(paths: readonly SourcePath[]): Promise<ReadonlyMap<SourcePath, Look>> {
    const looks = new Map<SourcePath, Look>()
    const id = this.#parts.rootId()
    for (let at = 0; at < paths.length && id !== undefined; at += looksMax) {
      const asked = paths.slice(at, at + looksMax)
      const answer = await this.#parts.scanner.call('look', { id, paths: asked }).catch(() => undefined)
      if (answer?.kind !== 'seen') return new Map()
      asked.forEach((path, index) => {
        const look = answer.looks[index]
        if (look !== undefined) looks.set(path, look)
      })
    }
    return looks
  }
}

/** Is the file certainly not where it was any more? */
function isElsewhere(look: Look | undefined, { inode }: FileStat): boolean {
  switch (look?.kind) {
    case 'absent':
    case 'folder':
    case 'skipped':
      return true
    case 'file':
      return look.stat.inode !== inode
    case 'ignored':
    case 'unreadable':
    case undefined:
      return false
  }
}
