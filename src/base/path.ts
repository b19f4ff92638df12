/**
 * Names of files as Linux has them: bytes. Inside the program a name is a string in which every byte that is no valid UTF-8
 * stands as a lone surrogate U+DC80..U+DCFF (Python's "surrogateescape", PEP 383), so that nothing is lost and equal names
 * are equal strings. Whatever leaves for a file system, the journal or a screen goes through this file.
 */

/** A path below a source's root: names joined by `/`, no leading slash; `''` is the root itself. */
export type SourcePath = string & { readonly brand: 'SourcePath' }
/** A path below a target's root, in the same form. */
export type RemotePath = string & { readonly brand: 'RemotePath' }
/** What node:fs takes: a string where the name is valid UTF-8, else its bytes. */
export type FsPath = string | Buffer

const hasLoneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/
const escapeFirst = 0xdc00
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Bytes of a name, as the program's string. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return decodeEscaped(bytes)
  }
}

function decodeEscaped(bytes: Uint8Array): string {
  let name = ''
  for (let at = 0; at < bytes.length;) {
    const length = validLengthAt(bytes, at)
    if (length === 0) name += String.fromCharCode(escapeFirst + (bytes[at] ?? 0))
    else name += strictUtf8.decode(bytes.subarray(at, at + length))
    at += Math.max(length, 1)
  }
  return name
}

/** Length of the valid UTF-8 character that begins at `at`, 0 where none does. */
function validLengthAt(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    try {
      strictUtf8.decode(bytes.subarray(at, at + length))
      return length
    } catch {
      // Not a whole character yet: one byte more may complete it.
    }
  }
  return 0
}

export function isUtf8Name(name: string): boolean {
  return !hasLoneSurrogate.test(name)
}

/** The program's string, as the bytes the file system knows. */
export function encodeName(name: string): Buffer {
  if (isUtf8Name(name)) return Buffer.from(name, 'utf8')
  const parts: Buffer[] = []
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0
    const isEscaped = code >= 0xdc80 && code <= 0xdcff
    parts.push(isEscaped ? Buffer.from([code - escapeFirst]) : Buffer.from(character, 'utf8'))
  }
  return Buffer.concat(parts)
}

/** `path` as node:fs wants it. */
export function fsPath(path: string): FsPath {
  return isUtf8Name(path) ? path : encodeName(path)
}

/** A path for people: bytes that are no UTF-8 and control characters as `\xNN`. */
export function showPath(path: string): string {
  if (!unprintable.test(path)) return path
  return path.replace(unprintableEach, (character) => {
    const code = character.charCodeAt(0)
    const byte = code >= escapeFirst ? code - escapeFirst : code
    return `\\x${byte.toString(16).padStart(2, '0')}`
  })
}
const unprintable = /[\u0000-\u001f\u007f]|(?<![\ud800-\udbff])[\udc80-\udcff]/
const unprintableEach = new RegExp(unprintable.source, 'g')

export function joinPath(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`
}

/** Folder part of a path; `''` for a name directly below the root. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? '' : path.slice(0, slash)
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** A relative path that stays below its root. @throws RangeError for absolute paths, empty names, `.`, `..` and NUL (F60). */
function parseRelative(path: string): string {
  if (path.includes('\0')) throw new RangeError(`path contains a zero byte: ${showPath(path)}`)
  for (const name of path === '' ? [] : path.split('/')) {
    if (name === '' || name === '.' || name === '..') throw new RangeError(`path leaves its root: ${showPath(path)}`)
  }
  return path
}

export function sourcePath(path: string): SourcePath {
  return parseRelative(path) as SourcePath
}

export function remotePath(path: string): RemotePath {
  return parseRelative(path) as RemotePath
}
