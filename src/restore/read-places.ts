/** Reads the place of a copy back: which source and path it was made of, by the `at` template. Pure. */
import { sourcePath, type RemotePath, type SourcePath } from '../base/path.ts'

export interface Origin {
  readonly source: string
  readonly path: SourcePath
}

export interface PlaceParts {
  /** The `at` of the target. */
  readonly template: string
  /** The only source whose files go there, where there is only one: its name need not stand in the place then. */
  readonly onlySource: string | undefined
  /** Where a file goes by this template: what was read has to lead back to its place. */
  readonly placeAt: (file: Origin & { readonly mtimeNs: bigint }) => RemotePath
}

/** What each field may be. A field that comes twice says the same twice. */
const fields: Readonly<Record<string, string>> = {
  source: '[a-z0-9_-]+',
  path: '.+',
  name: '[^/]+',
  ext: '[^/]+',
  host: '[^/]+',
  yyyy: '[0-9-]+',
  mm: '[0-9]{2}',
  dd: '[0-9]{2}',
}

/** undefined for a place that no file of ours has. */
export function placeReader({
  template,
  onlySource,
  placeAt,
}: PlaceParts): (place: RemotePath, mtimeNs: bigint) => Origin | undefined {
  const pattern = patternOf(template)
  return (place, mtimeNs) => {
    const found = pattern.exec(place)?.groups
    const source = found?.['source'] ?? onlySource
    const path = found?.['path']
    if (source === undefined || path === undefined) return undefined
    try {
      const origin = { source, path: sourcePath(path) }
      return placeAt({ ...origin, mtimeNs }) === place ? origin : undefined
    } catch (thrown) {
      // No path of a source: somebody else put it there.
      if (thrown instanceof RangeError) return undefined
      throw thrown
    }
  }
}

function patternOf(template: string): RegExp {
  const seen = new Set<string>()
  const parts = template.split('/').filter((part) => part !== '')
  const text = parts.map((part) =>
    part.replace(/\{(\w+)\}|[^{]+|\{/g, (whole, field: string | undefined) => {
      const allowed = field === undefined ? undefined : fields[field]
      if (field === undefined || allowed === undefined) return whole.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')
      if (seen.has(field)) return `\\k<${field}>`
      seen.add(field)
      return `(?<${field}>${allowed})`
    }),
  )
  // Names may hold line feeds.
  return new RegExp(`^${text.join('/')}$`, 's')
}
