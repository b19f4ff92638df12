/** Whether a folder that was renamed can be moved as one at every target, and where each of them keeps it. Moves nothing. */
import { setImmediate as turn } from 'node:timers/promises'
import type { FolderMove, FolderPlace, Journal } from '../journal/journal.ts'
import { joinPath, sourcePath } from '../base/path.ts'
import type { LaneSeat } from './lane-seat.ts'

/** Files judged without letting others pass: some milliseconds. */
const filesAtOnce = 500

export interface FolderCheckParts {
  readonly journal: Journal
  readonly seats: () => readonly LaneSeat[]
}

export class FolderCheck {
  readonly #parts: FolderCheckParts

  constructor(parts: FolderCheckParts) {
    this.#parts = parts
  }

  /**
   * No, where a target keeps the folder's copies in more than one place, or together with those of another source, or where some target takes a file
   * on one side of the move only (F35): then files are moved, removed and put one by one.
   */
  async mayMove(move: FolderMove): Promise<boolean> {
    const { journal, seats } = this.#parts
    if (!journal.folderMoves.isPossible(move)) return false
    const isAlone = journal.fileCounts().size <= 1
    for (const { order } of seats()) {
      const { kind } = order.layout
      if (kind === 'scattered' || (kind === 'shared' && !isAlone)) return false
    }
    return this.#staysOnItsSide(move)
  }

  async #staysOnItsSide({ source, from, path: to }: FolderMove): Promise<boolean> {
    const { journal, seats } = this.#parts
    const choosy = seats().filter(({ config: { select } }) => select.include.length + select.exclude.length > 0)
    if (choosy.length === 0) return true
    let count = 0
    for (const facts of journal.folderMoves.facts(source, from)) {
      const after = { ...facts, path: sourcePath(joinPath(to, facts.path.slice(from.length + 1))) }
      const isSame = choosy.every(({ order: { selector } }) => selector(facts).takes === selector(after).takes)
      if (!isSame) return false
      if (++count % filesAtOnce === 0) await turn()
    }
    return true
  }

  /** Of a move that may be. */
  places({ source, from, path: to }: FolderMove): FolderPlace[] {
    return this.#parts.seats().flatMap(({ targetId, order: { layout } }) => {
      if (layout.kind === 'scattered') return []
      if (layout.kind === 'regardless') return [{ targetId, from: '', to: '' }]
      return [{ targetId, from: layout.folderAt(source, from), to: layout.folderAt(source, to) }]
    })
  }
}
