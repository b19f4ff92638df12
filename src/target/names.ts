/**
 * Names at a provider: what a name of the source is called there, and which name of the source a provider's name is (F52-F54,
 * F60). Pure, and true after any loss of records; it asks no provider anything and knows no paths but as rows of names.
 *
 * Each name has two spellings, both its own: the plain one, and one beside a twin. A twin is another name that the provider
 * takes for the same, `README` and `readme`. Whoever is there first keeps the plain one; what lies at the provider tells by
 * its exact spelling whose it is, so no copy is ever written over its twin's and a rebuild finds every name where it was.
 * A name in NFD never takes the plain spelling, so that its NFC twin always has it. Names that are too long lose their middle:
 * the only case where the name cannot be read back, but the same name still gives the same spelling, which finds it again.
 */
import { decodeName as nameOfBytes, isUtf8Name, showPath } from '../base/path.ts'
import { bytesOfTokens, readTokens, writeCharacters, type Piece, type Token } from './name-characters.ts'
import { decomposedTag, shortened, twinTag, withTags } from './name-tags.ts'
import type { NameRules } from './name-rules.ts'

/** Nothing can be sent: the delivery is parked, `why` says it in words. */
export interface Refused {
  readonly kind: 'refused'
  readonly why: string
}

export interface Spelled {
  readonly kind: 'spelled'
  readonly name: string
  /** False where the name was too long: `decodeName` gives only its beginning and its end. */
  readonly isWhole: boolean
}

export type EncodedName = Spelled | Refused

export type DecodedName =
  /** `isOurs` is false for a spelling that this program never writes: somebody else put it there. */
  | { readonly kind: 'whole'; readonly name: string; readonly isOurs: boolean }
  /** The name began so and ended so. A name is this one if `encodeName` spells it the same. */
  | { readonly kind: 'shortened'; readonly start: string; readonly end: string }
  | Refused

export type EncodedPath =
  { readonly kind: 'spelled'; readonly names: readonly string[]; readonly isWhole: boolean } | Refused

/** Where in the provider's tree something lies. */
export interface NamePlace {
  /** What is left of the path's length for this name, UTF-16 units. */
  readonly unitsMax: number
  /** Directly below the provider's own root, not below a folder chosen by the owner. */
  readonly isAtRoot: boolean
}

const anywhere: NamePlace = { unitsMax: Number.POSITIVE_INFINITY, isAtRoot: false }

/** The plain spelling. Equal names give equal spellings, different names different ones, whatever else the folder holds. */
export function encodeName(name: string, rules: NameRules, place = anywhere): EncodedName {
  return spell(name, rules, place, '')
}

/** The spelling beside a twin that has the plain one. The same as the plain one where that is shortened: a hash has no twin. */
export function encodeTwin(name: string, rules: NameRules, place = anywhere): EncodedName {
  return spell(name, rules, place, twinTag(name))
}

function spell(name: string, rules: NameRules, place: NamePlace, twin: string): EncodedName {
  const why = refusal(name)
  if (why !== undefined) return { kind: 'refused', why: `${showPath(name)} ${why}` }
  const { pieces, isDecomposed } = bodyOf(name, rules, place.isAtRoot)
  const whole = withTags(pieces, (isDecomposed ? decomposedTag : '') + twin)
  const unitsMax = Math.min(rules.nameUnitsMax, place.unitsMax)
  if (whole.length <= unitsMax) return { kind: 'spelled', name: whole, isWhole: true }
  const short = shortened(pieces, name, unitsMax)
  if (short !== undefined) return { kind: 'spelled', name: short, isWhole: false }
  const allowed = `${rules.provider} allows ${rules.pathUnitsMax} characters from its root on`
  return {
    kind: 'refused',
    why: `the path of ${showPath(name)} is too long: ${allowed}. Shorten the names of its folders`,
  }
}

/** Why this is no name of a file (F60), undefined for one that is. */
function refusal(name: string): string | undefined {
  if (name === '' || name === '.' || name === '..') return 'is no name of a file'
  if (/[/\0]/.test(name)) return 'holds a slash or a zero byte'
  return strangeSurrogate.test(name) ? 'holds half of a character, which no file name of Linux does' : undefined
}
/** Lone surrogates but those that stand for bytes (`base/path.ts`). */
const strangeSurrogate = /[\ud800-\udc7f\udd00-\udfff]/u

interface Body {
  readonly pieces: readonly Piece[]
  readonly isDecomposed: boolean
}

/**
 * A provider may compose what it is given, so what is sent is composed already: it comes back as it went. The common names
 * that are wholly decomposed (a Mac's) go composed under a tag; of names that are neither, what would change goes as bytes.
 */
function bodyOf(name: string, rules: NameRules, isAtRoot: boolean): Body {
  const write = (text: string, isByte: (character: string) => boolean): readonly Piece[] => {
    const reserved = reservedAt(text, rules, isAtRoot)
    return writeCharacters(text, rules, (character, at) => reserved.has(at) || isByte(character))
  }
  const composed = rules.key === 'exact' ? name : name.normalize('NFC')
  if (composed === name || composed.normalize('NFD') === name) {
    const pieces = write(composed, () => false)
    if (rules.key === 'exact' || isComposed(pieces)) return { pieces, isDecomposed: composed !== name }
  }
  const pieces = write(name, mayCompose)
  return { pieces: isComposed(pieces) ? pieces : write(name, isNotAscii), isDecomposed: false }
}

/** False too where two neighbours that were no letters before would compose once spelled: `‛FE` and an accent. */
function isComposed(pieces: readonly Piece[]): boolean {
  const spelled = withTags(pieces, '')
  return spelled.normalize('NFC') === spelled
}

/** Characters that composing changes or joins to the one before; vowels and final consonants of Hangul are no marks to Unicode. */
function mayCompose(character: string): boolean {
  return character.normalize('NFC') !== character || /^[\p{M}\u1160-\u11ff]/u.test(character)
}

function isNotAscii(character: string): boolean {
  return character > '\x7f'
}

function reservedAt(text: string, rules: NameRules, isAtRoot: boolean): ReadonlySet<number> {
  const patterns = isAtRoot ? [...rules.reserved, ...rules.reservedAtRoot] : rules.reserved
  return new Set(patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(({ index }) => index)))
}

/** What the provider takes for one name: two spellings with one key cannot both be in one folder. Never finer than the provider's own. */
export function nameKey(spelled: string, rules: NameRules): string {
  if (rules.key === 'exact') return spelled
  const form = rules.key === 'folded-nfkc' ? 'NFKC' : 'NFC'
  // Down and up again: capitals alone keep the two small sigmas together, small letters alone keep ß from ss.
  return spelled.normalize(form).toLowerCase().toUpperCase().normalize(form)
}

/**
 * The spelling that a name takes in one folder of the provider.
 * @param heldAs how what the folder holds under a spelling's key is spelled there, undefined where it holds nothing.
 */
export async function chooseName(
  name: string,
  rules: NameRules,
  heldAs: (spelled: string, signal: AbortSignal) => Promise<string | undefined>,
  place: NamePlace,
  signal: AbortSignal,
): Promise<EncodedName> {
  for (const spelling of [encodeName(name, rules, place), encodeTwin(name, rules, place)]) {
    if (spelling.kind === 'refused' || rules.key === 'exact') return spelling
    const held = await heldAs(spelling.name, signal)
    if (held === undefined || held === spelling.name) return spelling
  }
  const why = `${rules.provider} takes ${showPath(name)} for other names that lie there already. Rename one of them`
  return { kind: 'refused', why }
}

/** The name of the source that a provider's name stands for. Never one that leaves its folder (F60). */
export function decodeName(spelled: string, rules: NameRules): DecodedName {
  if (!isUtf8Name(spelled)) return { kind: 'refused', why: `${showPath(spelled)} is no valid Unicode` }
  const tokens = readTokens(spelled)
  const cut = tokens.findIndex((token) => token.kind === 'tag' && token.tag.startsWith('h'))
  if (cut >= 0 && Number.isFinite(rules.nameUnitsMax)) return decodeShortened(tokens, cut, rules)
  const name = decodeTagged(tokens, rules)
  if (isSpelling(spelled, name, rules)) return { kind: 'whole', name, isOurs: true }
  // Somebody else's: tags are no tags, and what cannot be a name once it is read stays as it is spelled.
  const literal = nameOfBytes(bytesOfTokens(tokens, rules, { isFirst: true, isLast: true }))
  const foreign = refusal(literal) === undefined ? literal : spelled
  const why = refusal(foreign)
  if (why !== undefined) return { kind: 'refused', why: `${showPath(spelled)} ${why}` }
  return { kind: 'whole', name: foreign, isOurs: false }
}

function decodeShortened(tokens: readonly Token[], cut: number, rules: NameRules): DecodedName {
  const start = nameOfBytes(bytesOfTokens(tokens.slice(0, cut), rules, { isFirst: true, isLast: false }))
  const end = nameOfBytes(bytesOfTokens(tokens.slice(cut + 1), rules, { isFirst: false, isLast: true }))
  const why = refusal(start + end)
  return why === undefined
    ? { kind: 'shortened', start, end }
    : { kind: 'refused', why: `${showPath(start + end)} ${why}` }
}

function decodeTagged(tokens: readonly Token[], rules: NameRules): string {
  const bare = tokens.filter(({ kind }) => kind !== 'tag')
  const name = nameOfBytes(bytesOfTokens(bare, rules, { isFirst: true, isLast: true }))
  const isDecomposed = tokens.some((token) => token.kind === 'tag' && token.tag === 'n')
  return isDecomposed ? name.normalize('NFD') : name
}

function isSpelling(spelled: string, name: string, rules: NameRules): boolean {
  for (const isAtRoot of [false, true])
    for (const encode of [encodeName, encodeTwin]) {
      const encoded = encode(name, rules, { ...anywhere, isAtRoot })
      if (encoded.kind === 'spelled' && encoded.name === spelled) return true
    }
  return false
}

/** What lies above the first name of a path. */
export interface PathPlace {
  /** UTF-16 units from the provider's own root on, slashes included. */
  readonly unitsAbove: number
  readonly isRoot: boolean
}

/**
 * A path's plain spellings, name by name. The last name is shortened where only it is too much for the path: folders never
 * are for that, because they must be called the same whatever lies in them.
 * @param path is refused where it leaves its root (F60), whoever made it.
 */
export function encodePath(path: string, rules: NameRules, above: PathPlace): EncodedPath {
  const parts = path === '' ? [] : path.split('/')
  const names: string[] = []
  let isWhole = true
  let unitsMax = rules.pathUnitsMax - above.unitsAbove
  for (const [depth, part] of parts.entries()) {
    const isLeaf = depth === parts.length - 1
    const isAtRoot = above.isRoot && depth === 0
    const encoded = encodeName(part, rules, { unitsMax: isLeaf ? unitsMax : Number.POSITIVE_INFINITY, isAtRoot })
    if (encoded.kind === 'refused') return encoded
    names.push(encoded.name)
    isWhole &&= encoded.isWhole
    unitsMax -= encoded.name.length + 1
  }
  return { kind: 'spelled', names, isWhole }
}
