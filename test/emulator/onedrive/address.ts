/** Graph's addresses of items, taken apart: a drive, where to begin, a path from there, what to do. Looks nothing up. */

export type Tail =
  'item' | 'children' | 'content' | 'createUploadSession' | 'copy' | 'versions' | 'permanentDelete' | 'delta'

export interface ItemAddress {
  /** undefined: the login's own. */
  readonly drive: string | undefined
  readonly start:
    { readonly kind: 'root' } | { readonly kind: 'approot' } | { readonly kind: 'id'; readonly id: string }
  readonly names: readonly string[]
  readonly tail: Tail
  /** Of a version. */
  readonly rest: string | undefined
  /** A relative path without its closing colon. */
  readonly isOpen: boolean
}

export type Address =
  | { readonly kind: 'drive'; readonly drive: string | undefined }
  | { readonly kind: 'drives' }
  | ({ readonly kind: 'item' } & ItemAddress)

const tails: readonly Tail[] = [
  'item',
  'children',
  'content',
  'createUploadSession',
  'copy',
  'versions',
  'permanentDelete',
  'delta',
]
/** 1 the drive, 2 where to begin, 3 an id, 4 a path, 5 its closing colon, 6 what to do, 7 more. */
const shape =
  /^\/v1\.0(?:\/me\/drive|\/drives\/([^/]+))(?:\/(root|special\/approot|items\/([^/:]+)))(?::\/([^:]*?)(?:(:)|(?=$)))?(?:\/?([A-Za-z]+)(?:\(\))?(?:\/([^/]+))?)?$/
const driveShape = /^\/v1\.0(?:\/me\/drive|\/drives\/([^/]+))$/

/** undefined for what is none. @param path as sent: percent-encoded. */
export function addressOf(path: string): Address | undefined {
  if (path === '/v1.0/me/drives') return { kind: 'drives' }
  const drive = driveShape.exec(path)
  if (drive !== null) return { kind: 'drive', drive: decoded(drive[1]) }
  const found = shape.exec(path)
  if (found === null) return undefined
  const [, owner, begin, id, below, colon, word = 'item', rest] = found
  const tail = tails.find((name) => name === word)
  if (tail === undefined) return undefined
  return {
    kind: 'item',
    drive: decoded(owner),
    start:
      id === undefined ? { kind: begin === 'root' ? 'root' : 'approot' } : { kind: 'id', id: decodeURIComponent(id) },
    names: (below ?? '')
      .split('/')
      .filter((name) => name !== '')
      .map(decodeURIComponent),
    tail,
    rest: decoded(rest),
    isOpen: below !== undefined && colon === undefined,
  }
}

function decoded(text: string | undefined): string | undefined {
  return text === undefined ? undefined : decodeURIComponent(text)
}
