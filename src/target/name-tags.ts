/**
 * Tags in a spelled name: a quote and a letter, put before the extension so that a copy still opens with its program. Owns
 * their form and place; `names.ts` says when one is needed. No name of a source can hold one, since its own quotes are doubled.
 *
 * - `‛n`: the name is this one decomposed (NFD).
 * - `‛t` and 8 characters: this is not the twin that has the plain name. The characters are the name's own.
 * - `‛h` and 16 characters: the middle of a name that was too long is missing. The characters stand for the whole name.
 */
import { createHash } from 'node:crypto'
import { encodeName as bytesOf } from '../base/path.ts'
import { quote, type Piece } from './name-characters.ts'

export const decomposedTag = `${quote}n`
/** 40 bits tell the few twins of one name apart. */
const twinCharacters = 8
/** 80 bits: no two names of one folder ever meet by chance. */
const shortCharacters = 16
/** Longest ending that is taken for an extension, UTF-16 units with its dot: `.sqlite3-journal`. */
const extensionUnitsMax = 16
/** RFC 4648 in lower case: the same under any folding of case, and no `t` or `h` of a tag is a hex digit. */
const base32 = 'abcdefghijklmnopqrstuvwxyz234567'

export function twinTag(name: string): string {
  return `${quote}t${hashOf(name, twinCharacters)}`
}

function shortTag(name: string): string {
  return `${quote}h${hashOf(name, shortCharacters)}`
}

function hashOf(name: string, characters: number): string {
  const digest = createHash('sha256').update(bytesOf(name)).digest()
  // One byte per character wastes three bits of it and needs no carry.
  return [...digest.subarray(0, characters)].map((byte) => base32.charAt(byte % base32.length)).join('')
}

function join(pieces: readonly Piece[]): string {
  return pieces.map(({ sent }) => sent).join('')
}

/** Where the extension begins; the end where there is none. A leading dot begins no extension. */
function extensionAt(pieces: readonly Piece[]): number {
  const dot = pieces.findLastIndex(({ isDot }) => isDot)
  const isExtension = dot > 0 && dot < pieces.length - 1 && join(pieces.slice(dot)).length <= extensionUnitsMax
  return isExtension ? dot : pieces.length
}

export function withTags(pieces: readonly Piece[], tags: string): string {
  if (tags === '') return join(pieces)
  const at = extensionAt(pieces)
  return join(pieces.slice(0, at)) + tags + join(pieces.slice(at))
}

/** As much of the name's beginning as fits, its hash and its extension; undefined where not even that fits. */
export function shortened(pieces: readonly Piece[], name: string, unitsMax: number): string | undefined {
  const at = extensionAt(pieces)
  const end = shortTag(name) + join(pieces.slice(at))
  let start = ''
  for (const { sent } of pieces.slice(0, at)) {
    if (start.length + sent.length + end.length > unitsMax) break
    start += sent
  }
  return start === '' ? undefined : start + end
}
