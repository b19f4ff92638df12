/** OneDrive's names: what one may look like and when two are the same. Knows nothing of what lies there. */
import { badRequest } from './refusal.ts'

export type DriveKind = 'personal' | 'business' | 'documentLibrary'

export interface NameRules {
  readonly driveType: DriveKind
  /** Whether composed and decomposed letters are the same name; not documented. Default false. */
  readonly foldsUnicode: boolean
}

const nameUnitsMax = 255
/** Decoded, from the host on, the library's own part included. */
const pathUnitsMax = 400
const reservedNames = /^(?:\.lock|desktop\.ini|(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?)$/i
const refusedCharacters = /["*:<>?/\\|\x00-\x1f\x7f]|\p{Surrogate}|&#\w+;/u

/** The key of a name: case is kept and not told apart. */
export function keyOf(name: string, { foldsUnicode }: Pick<NameRules, 'foldsUnicode'>): string {
  return (foldsUnicode ? name.normalize('NFC') : name).toLowerCase()
}

export interface NewName {
  readonly name: string
  readonly isFolder: boolean
  /** Directly below the drive's root. */
  readonly isAtRoot: boolean
  /** Of the folder it is to lie in, with the library's own part. UTF-16 units. */
  readonly unitsAbove: number
}

/** @throws Refused */
export function expectName({ name, isFolder, isAtRoot, unitsAbove }: NewName, { driveType }: NameRules): void {
  const isBusiness = driveType !== 'personal'
  const isRefused =
    name === '' ||
    refusedCharacters.test(name) ||
    /^ | $|\.$/.test(name) ||
    reservedNames.test(name) ||
    name.startsWith('~$') ||
    /_vti_/i.test(name) ||
    (isBusiness && isFolder && name.startsWith('~')) ||
    (driveType === 'documentLibrary' && isAtRoot && name.toLowerCase() === 'forms')
  if (isRefused) throw badRequest('The provided name cannot be used', 'invalidPath')
  const isTooLong = name.length > nameUnitsMax || unitsAbove + 1 + name.length > pathUnitsMax
  if (isTooLong) throw badRequest('The path is too long', 'pathIsTooLong')
}
