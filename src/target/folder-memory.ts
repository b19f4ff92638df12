/** What a target that knows its folders by id remembers of them over restarts. Where that is kept is not said here. */

/** By a folder's path at the target as this program spells it; `''` is the target's root. Another place behind the target's name begins with none. */
export interface FolderMemory {
  get(path: string): string | undefined
  /** Resolves once a crash can no longer lose it. */
  keep(path: string, id: string): Promise<void>
  /** This folder and all below it. */
  forget(path: string): Promise<void>
}
