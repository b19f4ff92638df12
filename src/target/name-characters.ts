/**
 * Characters of names, both ways: what a provider refuses stands as a look-alike, exactly as rclone writes it, so that either
 * tool reads what the other wrote. Knows nothing of length, twins or whole names.
 *
 * - a control character is its picture (U+2400 on), DEL is U+2421, a space U+2420, other ASCII its full-width form (U+FF01 on);
 * - a look-alike that a name really has is put behind the quote U+201B, and a quote is doubled;
 * - a byte that is no UTF-8 is the quote and two hex digits; so is a character that has no look-alike for its place.
 *
 * Source: rclone, "Overview", restricted filenames. What rclone writes `／` and `␀` for is in no name of Linux, so these two stand
 * for themselves, as they do when rclone copies them from a disk.
 */
import { encodeName as bytesOf } from '../base/path.ts'
import type { NameRules } from './name-rules.ts'

/** SINGLE HIGH-REVERSED-9 QUOTATION MARK. */
export const quote = '\u201b'
/** A quote with this behind it is a tag of `name-tags.ts`: letters that are no hex digits, so that no byte reads like one. */
const tagAt = /^\u201b(?:n|t[a-z2-7]{8}|h[a-z2-7]{16})/
const byteAt = /^\u201b([0-9a-fA-F]{2})/

/** One character of a name as it is sent; never to be cut in two. */
export interface Piece {
  readonly sent: string
  /** True for a `.` that is sent as it is: what an extension can begin with. */
  readonly isDot: boolean
}

function substituteOf(character: string): string {
  const code = character.charCodeAt(0)
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  if (code === 0x20) return '\u2420'
  return code === 0x7f ? '\u2421' : String.fromCharCode(0xfee0 + code)
}

function originalOf(character: string): string | undefined {
  const code = character.charCodeAt(0)
  if (code >= 0x2400 && code <= 0x2420) return String.fromCharCode(code - 0x2400)
  if (code === 0x2421) return '\x7f'
  return code >= 0xff01 && code <= 0xff5e ? String.fromCharCode(code - 0xfee0) : undefined
}

interface Place {
  readonly isFirst: boolean
  readonly isLast: boolean
}

function isSubstituted(character: string, rules: NameRules, { isFirst, isLast }: Place): boolean {
  return (
    rules.anywhere.includes(character) ||
    (isFirst && rules.first.includes(character)) ||
    (isLast && rules.last.includes(character))
  )
}

/** A character as its bytes: `‛C3‛A4`. */
function asBytes(character: string): string {
  return [...bytesOf(character)].map((byte) => quote + byte.toString(16).toUpperCase().padStart(2, '0')).join('')
}

function sentAs(character: string, rules: NameRules, place: Place): string {
  const code = character.charCodeAt(0)
  if (character.length === 1 && code >= 0xdc80 && code <= 0xdcff) return asBytes(character)
  if (character === quote) return quote + quote
  if (isSubstituted(character, rules, place)) return substituteOf(character)
  const original = originalOf(character)
  return original !== undefined && isSubstituted(original, rules, place) ? quote + character : character
}

/** @param isByte which characters have no look-alike and go as their bytes; `at` counts UTF-16 units. */
export function writeCharacters(
  name: string,
  rules: NameRules,
  isByte: (character: string, at: number) => boolean,
): readonly Piece[] {
  const pieces: Piece[] = []
  let at = 0
  for (const character of name) {
    const end = at + character.length
    const place = { isFirst: at === 0, isLast: end === name.length }
    const sent = isByte(character, at) ? asBytes(character) : sentAs(character, rules, place)
    pieces.push({ sent, isDot: sent === '.' })
    at = end
  }
  return pieces
}

/** One character of a spelled name, read. */
export type Token =
  /** The tag without its quote. */
  { readonly kind: 'tag'; readonly tag: string } | { readonly kind: 'bytes'; readonly bytes: Uint8Array } | Plain
interface Plain {
  readonly kind: 'plain'
  readonly character: string
}

/** Takes a spelled name apart. What this program and rclone would never write is taken as it stands. */
export function readTokens(spelled: string): readonly Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < spelled.length;) {
    const { token, length } = tokenAt(spelled.slice(at))
    tokens.push(token)
    at += length
  }
  return tokens
}

function tokenAt(rest: string): { token: Token; length: number } {
  const tag = tagAt.exec(rest)?.[0]
  if (tag !== undefined) return { token: { kind: 'tag', tag: tag.slice(1) }, length: tag.length }
  const hex = byteAt.exec(rest)?.[1]
  if (hex !== undefined) return { token: { kind: 'bytes', bytes: Buffer.from(hex, 'hex') }, length: 3 }
  const character = String.fromCodePoint(rest.codePointAt(0) ?? 0)
  const next = rest.charAt(1)
  if (character === quote && (next === quote || originalOf(next) !== undefined))
    return { token: { kind: 'bytes', bytes: Buffer.from(next, 'utf8') }, length: 2 }
  return { token: { kind: 'plain', character }, length: character.length }
}

/** The bytes that tokens without tags stand for. */
export function bytesOfTokens(tokens: readonly Token[], rules: NameRules, whole: Place): Buffer {
  const parts = tokens.map((token, at) => {
    if (token.kind === 'bytes') return token.bytes
    if (token.kind === 'tag') return Buffer.from(quote + token.tag, 'utf8')
    const original = originalOf(token.character)
    const place = { isFirst: whole.isFirst && at === 0, isLast: whole.isLast && at === tokens.length - 1 }
    const isSubstitute = original !== undefined && isSubstituted(original, rules, place)
    return Buffer.from(isSubstitute ? original : token.character, 'utf8')
  })
  return Buffer.concat(parts)
}
