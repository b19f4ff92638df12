/** Dropbox's names: what a path may look like and when two are the same. Knows nothing of what lies there. */
import { Refused } from './refusal.ts'

export interface PathRules {
  /** In 2022 names with characters beyond U+FFFF were malformed (rclone #6199); the help page of 2025 allows them. Default false. */
  readonly refusesAstral: boolean
}

/** Of a component. The help page says characters; the service seems to count UTF-16 units. */
const nameUnitsMax = 255
const disallowed = new Set(['desktop.ini', 'thumbs.db', '.ds_store', 'icon\r', '.dropbox', '.dropbox.attr'])

/**
 * The names of "/a/b"; none for the root. Slashes may be doubled (rclone asks for "//a" below an empty root), but not trail.
 * @throws Refused malformed_path, disallowed_name
 */
export function namesOf(path: string, rules: PathRules): readonly string[] {
  if (path === '') return []
  const [before, ...names] = path.replace(/\/{2,}/g, '/').split('/')
  if (before !== '' || names.some((name) => isMalformed(name, rules))) throw new Refused(['malformed_path'])
  if (names.some((name) => disallowed.has(name.toLowerCase()))) throw new Refused(['disallowed_name'])
  return names
}

function isMalformed(name: string, rules: PathRules): boolean {
  if (name === '' || name === '.' || name === '..' || name.length > nameUnitsMax) return true
  return (
    /[\\\0]/.test(name) || /\p{Surrogate}/u.test(name) || (rules.refusesAstral && /[\u{10000}-\u{10ffff}]/u.test(name))
  )
}

/** The key of a name that is to be written: composed, and lowered as below. */
export function writtenKey(name: string): string {
  return lowered(name.normalize('NFC'))
}

/** The key of a name that is asked for. Decomposed names are reported not to be found (maestral #678). */
export function askedKey(name: string): string {
  return lowered(name)
}

/**
 * An old lowering, character by character and without the younger scripts: "ΣΣΣ" becomes "σσσ", "Ꙋ" stays (maestral #409).
 * Which scripts are missing is not published; these two are the reported ones.
 */
function lowered(name: string): string {
  if (/^[\x20-\x7e]*$/.test(name)) return name.toLowerCase()
  return Array.from(name, (character) => {
    const code = character.codePointAt(0) ?? 0
    const isYoung = code > 0xffff || (code >= 0xa640 && code <= 0xa69f)
    const [first = character] = character.toLowerCase()
    return isYoung ? character : first
  }).join('')
}

/** "name (2).ext" */
export function numbered(name: string, number: number): string {
  const dot = name.lastIndexOf('.')
  return dot <= 0 ? `${name} (${number})` : `${name.slice(0, dot)} (${number})${name.slice(dot)}`
}
