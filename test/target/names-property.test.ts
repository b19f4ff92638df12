import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeName as nameOfBytes, encodeName as bytesOf, isUtf8Name } from '../../src/base/path.ts'
import { nameRules, type NameRules } from '../../src/target/name-rules.ts'
import { chooseName, decodeName, encodeName, encodeTwin, nameKey, type EncodedName } from '../../src/target/names.ts'
import { aSeed } from '../builders.ts'

const seed = aSeed()
/** Seconds by default; a long run takes some thousands. */
const runs = { seed, numRuns: Number(process.env['FANFOLD_NAME_RUNS'] ?? 200) }
const place = { unitsMax: Number.POSITIVE_INFINITY, isAtRoot: false }

/** The provider's own demands, written down apart from the rules. */
interface Provider {
  readonly rules: NameRules
  readonly refused: RegExp
  /** What the provider compares by, as far as it is known. */
  readonly key: (name: string) => string
}

const providers: Readonly<Record<string, Provider>> = {
  dropbox: {
    rules: nameRules.dropbox,
    refused: /[/\\\x7f\0]| $|^\.\.?$|^(desktop\.ini|thumbs\.db|\.ds_store|icon\r|\.dropbox|\.dropbox\.attr)$/i,
    key: (name) => name.normalize('NFC').toLowerCase(),
  },
  dropboxFirstPlane: {
    rules: nameRules.dropboxFirstPlane,
    refused:
      /[/\\\x7f\0\u{10000}-\u{10ffff}]| $|^\.\.?$|^(desktop\.ini|thumbs\.db|\.ds_store|icon\r|\.dropbox|\.dropbox\.attr)$/iu,
    key: (name) => name.normalize('NFC').toLowerCase(),
  },
  googleDrive: { rules: nameRules.googleDrive, refused: /\0|^$/, key: (name) => name },
  box: {
    rules: nameRules.box,
    refused: /[/\\\x7f\0-\x1f]| $|^\.\.?$/,
    key: (name) => name.normalize('NFKC').toLowerCase(),
  },
  oneDrive: {
    rules: nameRules.oneDrive,
    refused:
      /["*:<>?/\\|\0-\x1f\x7f]|^[ ~]|[ .]$|^(\.lock|desktop\.ini)$|^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)|_vti_|&#\d+;/i,
    key: (name) => name.normalize('NFC').toUpperCase(),
  },
}

function isName(name: string): boolean {
  return !['', '.', '..'].includes(name) && !/[/\0]/.test(name)
}

/** As the program would have it from a disk. */
function fromDisk(name: string): string {
  return nameOfBytes(bytesOf(name))
}

const randomBytes = fc.uint8Array({ min: 1, minLength: 1, maxLength: 255 }).map(nameOfBytes).filter(isName)

const nasty = [
  ...['‛', '‛', '‛n', '‛t', '‛h', '‛FE', 'tabcdefgh', `h${'a'.repeat(16)}`, 'n', 'FE', '5F', '0'],
  ...['␀', '␉', '␠', '␡', '＼', '／', '：', '．', '～', '＜', '＂', '␤'],
  ...[' ', '.', '~', '$', '\\', ':', '\t', '\n', '\r', '\x7f', '"', '*', '|', '&#38;', '&#x26;', '#', '%', "'"],
  ...[
    'con',
    'CON',
    'aux',
    'com1',
    '.lock',
    'desktop.ini',
    'Thumbs.db',
    '.DS_Store',
    'icon\r',
    '_vti_',
    '.dropbox',
    'forms',
  ],
  ...[
    'é',
    'e\u0301',
    '\u0301',
    '\u0323',
    'Å',
    '\u212b',
    'Ω',
    '\u2126',
    '\u1112\u1161\u11ab',
    '\u1161',
    '한',
    '가\u11a8',
    'ﬁ',
  ],
  ...[
    '\udc80',
    '\udcc3',
    '\udca9',
    '\udcff',
    '\udcfe',
    '\udccc',
    '\udc81',
    '\ufffd',
    '\ufeff',
    '🎏',
    '\u0958',
    'a',
    'E',
    'İ',
    'ς',
    'ß',
  ],
]
const nastyNames = fc
  .array(fc.constantFrom(...nasty), { minLength: 1, maxLength: 12 })
  .map((parts) => fromDisk(parts.join('')))
  .filter(isName)

const anyUnicode = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }).filter(isName)
const longNames = fc
  .array(fc.constantFrom(...nasty), { minLength: 60, maxLength: 200 })
  .map((parts) => fromDisk(parts.join('')))
  .filter(isName)

const names = fc.oneof(randomBytes, nastyNames, anyUnicode, longNames)

function spelling(encoded: EncodedName): string {
  if (encoded.kind === 'refused') throw new Error(encoded.why)
  return encoded.name
}

function spellings(name: string, rules: NameRules): readonly EncodedName[] {
  return [encodeName(name, rules), encodeTwin(name, rules)]
}

describe.each(Object.entries(providers))('%s', (_, { rules, refused, key }) => {
  test('F17, F52, F53: every name comes back from either of its spellings, or tells that it was too long', () => {
    fc.assert(
      fc.property(names, (name) => {
        for (const encoded of spellings(name, rules)) {
          const decoded = decodeName(spelling(encoded), rules)

          if (encoded.kind === 'spelled' && encoded.isWhole)
            expect(decoded).toEqual({ kind: 'whole', name, isOurs: true })
          else expect(decoded.kind).toBe('shortened')
        }
      }),
      runs,
    )
  })

  test('F52: what is sent is what the provider takes, and is not composed once more', () => {
    fc.assert(
      fc.property(names, (name) => {
        for (const encoded of spellings(name, rules)) {
          const spelled = spelling(encoded)

          expect(spelled).not.toMatch(refused)
          expect(isUtf8Name(spelled)).toBe(true)
          expect(spelled.length).toBeLessThanOrEqual(rules.nameUnitsMax)
          if (rules.key !== 'exact') expect(spelled.normalize('NFC')).toBe(spelled)
        }
      }),
      runs,
    )
  })

  test('F53, F54: no two names of a folder meet, and each finds its own spelling in any order', async () => {
    const twins = fc
      .array(fc.constantFrom('a', 'A', 'é', 'e\u0301', 'É', 'E\u0301', 'σ', 'ς', 'Σ', 'ß', '‛', 'n', '.', 'İ', 'ﬁ'), {
        minLength: 1,
        maxLength: 3,
      })
      .map((parts) => parts.join(''))
      .filter(isName)
    const folders = fc
      .uniqueArray(fc.oneof(twins, nastyNames), { minLength: 2, maxLength: 30 })
      .chain((folder) => fc.tuple(fc.constant(folder), fc.shuffledSubarray(folder, { minLength: folder.length })))

    await fc.assert(
      fc.asyncProperty(folders, async ([folder, inAnyOrder]) => {
        const held = new Map<string, string>()
        const heldAs = (spelled: string): Promise<string | undefined> => Promise.resolve(held.get(key(spelled)))
        const put = async (name: string): Promise<string> => {
          const spelled = spelling(await chooseName(name, rules, heldAs, place, AbortSignal.abort()))
          held.set(key(spelled), spelled)
          return spelled
        }
        const first = new Map<string, string>()
        for (const name of folder) first.set(name, await put(name))

        for (const name of inAnyOrder) expect(await put(name)).toBe(first.get(name))
        expect(held.size).toBe(folder.length)
        for (const [name, spelled] of first) expect(decodeName(spelled, rules)).toMatchObject({ name })
      }),
      runs,
    )
  })

  test("F54: our key is never finer than the provider's", () => {
    const upOrDown = fc.constantFrom(
      (name: string) => name.toLowerCase(),
      (name: string) => name.toUpperCase(),
      (name: string) => name.normalize('NFD'),
    )
    fc.assert(
      fc.property(names, upOrDown, (name, change) => {
        const spelled = spelling(encodeName(name, rules))
        const changed = change(spelled)

        if (key(changed) === key(spelled)) expect(nameKey(changed, rules)).toBe(nameKey(spelled, rules))
      }),
      runs,
    )
  })

  test('F60: whatever a provider calls an object, it is read as a name of a file or refused', () => {
    const foreign = fc
      .array(fc.constantFrom(...nasty, '/', '..', '‛2F', '‛2E', '‛00', '．．', '／', '\ud800', '\udc00'), {
        maxLength: 6,
      })
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(foreign, (spelled) => {
        const decoded = decodeName(spelled, rules)

        if (decoded.kind === 'whole') expect(isName(decoded.name)).toBe(true)
        if (decoded.kind === 'shortened') expect(isName(decoded.start + decoded.end)).toBe(true)
      }),
      runs,
    )
  })
})
