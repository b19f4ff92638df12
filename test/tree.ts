/** A folder tree as a value, so that two of them can be compared. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Every file below a folder: path -> content hash and mtime. */
export function treeOf(root: string): Map<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const hash = createHash('sha256').update(readFileSync(path)).digest('hex')
      return [path.slice(root.length + 1), `${hash} ${statSync(path, { bigint: true }).mtimeNs}`]
    }),
  )
}
