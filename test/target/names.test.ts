import { expect, test } from 'vitest'
import { decodeName as nameOfBytes } from '../../src/base/path.ts'
import { nameRules, type NameRules } from '../../src/target/name-rules.ts'
import {
  chooseName,
  decodeName,
  encodeName,
  encodePath,
  encodeTwin,
  nameKey,
  type EncodedName,
} from '../../src/target/names.ts'

const { dropbox, googleDrive, box, oneDrive, sharePoint } = nameRules
const below = { unitsMax: Number.POSITIVE_INFINITY, isAtRoot: false }
const never = new AbortController().signal

function spelling(encoded: EncodedName): string {
  if (encoded.kind === 'refused') throw new Error(encoded.why)
  return encoded.name
}

function bytes(...values: number[]): string {
  return nameOfBytes(Uint8Array.from(values))
}

/** What rclone 1.60.1 made of each name, copied from a disk with the encoding it has by default for each provider. */
const asRclone: readonly (readonly [name: string, dropbox: string, drive: string, box: string, oneDrive: string])[] = [
  [
    'plain näme 東京 🎏.txt',
    'plain näme 東京 🎏.txt',
    'plain näme 東京 🎏.txt',
    'plain näme 東京 🎏.txt',
    'plain näme 東京 🎏.txt',
  ],
  ['a\\b', 'a＼b', 'a\\b', 'a＼b', 'a＼b'],
  [' lead', ' lead', ' lead', ' lead', '␠lead'],
  ['end ', 'end␠', 'end ', 'end␠', 'end␠'],
  ['dot.', 'dot.', 'dot.', 'dot.', 'dot．'],
  ['...', '...', '...', '...', '..．'],
  ['~', '~', '~', '~', '～'],
  ['~$x', '~$x', '~$x', '~$x', '～$x'],
  ['~tilde .', '~tilde .', '~tilde .', '~tilde .', '～tilde ．'],
  ['q:*"<>|?.txt', 'q:*"<>|?.txt', 'q:*"<>|?.txt', 'q:*"<>|?.txt', 'q：＊＂＜＞｜？.txt'],
  ['tab\tlf\ndel\x7f', 'tab\tlf\ndel␡', 'tab\tlf\ndel\x7f', 'tab␉lf␊del␡', 'tab␉lf␊del␡'],
  ['a\rb', 'a\rb', 'a\rb', 'a␍b', 'a␍b'],
  ['＜a', '＜a', '＜a', '＜a', '‛＜a'],
  ['＼', '‛＼', '＼', '‛＼', '‛＼'],
  ['␉', '␉', '␉', '‛␉', '‛␉'],
  ['␡', '‛␡', '␡', '‛␡', '‛␡'],
  ['end␠', 'end‛␠', 'end␠', 'end‛␠', 'end‛␠'],
  ['mid␠dle', 'mid␠dle', 'mid␠dle', 'mid␠dle', 'mid␠dle'],
  ['␠lead', '␠lead', '␠lead', '␠lead', '‛␠lead'],
  ['space ␠', 'space ‛␠', 'space ␠', 'space ‛␠', 'space ‛␠'],
  ['～tilde', '～tilde', '～tilde', '～tilde', '‛～tilde'],
  ['a．', 'a．', 'a．', 'a．', 'a‛．'],
  ['␀ ／', '␀ ／', '␀ ／', '␀ ／', '␀ ／'],
  ['\ufffd ok', '\ufffd ok', '\ufffd ok', '\ufffd ok', '\ufffd ok'],
  [bytes(0xfe), '‛FE', '‛FE', '‛FE', '‛FE'],
  [bytes(0x61, 0xff, 0xfe, 0x62, 0x20), 'a‛FF‛FEb␠', 'a‛FF‛FEb ', 'a‛FF‛FEb␠', 'a‛FF‛FEb␠'],
]

test.each(asRclone)('F52: %j is spelled as rclone spells it', (name, ...expected) => {
  const places = [dropbox, googleDrive, box, oneDrive]

  expect(places.map((rules) => spelling(encodeName(name, rules)))).toEqual(expected)
  expect(expected.map((spelled, at) => decodeName(spelled, places[at] ?? dropbox))).toEqual(
    expected.map(() => ({ kind: 'whole', name, isOurs: true })),
  )
})

test('F52: a quote is doubled, so that nothing of a name reads like a substitute', () => {
  for (const name of ['‛', '‛‛', '‛FE', '‛n', '‛＼', '‛ ', 'a‛tabcdefgh.txt', `‛h${'a'.repeat(16)}`]) {
    expect(decodeName(spelling(encodeName(name, oneDrive)), oneDrive)).toEqual({ kind: 'whole', name, isOurs: true })
  }
  expect(spelling(encodeName('‛FE', oneDrive))).toBe('‛‛FE')
})

test.each<[keyof typeof nameRules, string, string]>([
  ['dropbox', 'Desktop.ini', '‛44esktop.ini'],
  ['dropbox', '.DS_Store', '‛2EDS_Store'],
  ['dropbox', 'icon\r', '‛69con\r'],
  ['dropbox', '.dropbox', '‛2Edropbox'],
  ['dropbox', '.dropbox.cache', '.dropbox.cache'],
  ['googleDrive', 'desktop.ini', 'desktop.ini'],
  ['oneDrive', '.lock', '‛2Elock'],
  ['oneDrive', 'con', '‛63on'],
  ['oneDrive', 'COM1.tar.gz', '‛43OM1.tar.gz'],
  ['oneDrive', 'console', 'console'],
  ['oneDrive', 'a_vti_vti_', 'a‛5Fvti‛5Fvti_'],
  ['oneDrive', 'R&#38;D', 'R‛26#38;D'],
  ['oneDrive', 'R&D #1', 'R&D #1'],
])('F52: at %s, where names are reserved, %j is sent as %j', (provider, name, spelled) => {
  const rules = nameRules[provider]

  expect(spelling(encodeName(name, rules))).toBe(spelled)
  expect(decodeName(spelled, rules)).toEqual({ kind: 'whole', name, isOurs: true })
})

test('F52: forms is refused directly below the root of a SharePoint library only', () => {
  const root = { unitsAbove: 0, isRoot: true }

  expect(encodePath('Forms/forms', sharePoint, root)).toMatchObject({ names: ['‛46orms', 'forms'] })
  expect(encodePath('Forms', sharePoint, { unitsAbove: 8, isRoot: false })).toMatchObject({ names: ['Forms'] })
  expect(encodePath('Forms', oneDrive, root)).toMatchObject({ names: ['Forms'] })
  expect(decodeName('‛46orms', sharePoint)).toEqual({ kind: 'whole', name: 'Forms', isOurs: true })
})

const short = 'é'
const decomposed = 'e\u0301'

test.each([
  [`caf${decomposed}.txt`, 'café‛n.txt'],
  ['\u1112\u1161\u11ab', '한‛n'],
  // Half composed, half not: what composing would change goes as its bytes.
  [`${short}${decomposed}`, 'ée‛CC‛81'],
  ['\u212b', '‛E2‛84‛AB'],
  // A byte and an accent: spelled, they would compose to É.
  [`${bytes(0xfe)}\u0301`, '‛FE‛CC‛81'],
])('F53: %j is sent composed and comes back as it was', (name, spelled) => {
  for (const rules of [dropbox, box, oneDrive]) {
    expect(spelling(encodeName(name, rules))).toBe(spelled)
    expect(decodeName(spelled, rules)).toEqual({ kind: 'whole', name, isOurs: true })
  }
  expect(decodeName(spelling(encodeName(name, googleDrive)), googleDrive)).toMatchObject({ name, isOurs: true })
})

test('F53: of NFC and NFD twins the one in NFC has the plain name, whoever comes first', () => {
  expect(spelling(encodeName(short, dropbox))).toBe(short)
  expect(spelling(encodeName(decomposed, dropbox))).toBe(`${short}‛n`)
})

/** A folder of a provider that holds what was put into it. */
function aFolder(rules: NameRules): { put(name: string): Promise<string>; readonly names: () => readonly string[] } {
  const held = new Map<string, string>()
  const heldAs = (spelled: string): Promise<string | undefined> => Promise.resolve(held.get(nameKey(spelled, rules)))
  return {
    async put(name) {
      const spelled = spelling(await chooseName(name, rules, heldAs, below, never))
      held.set(nameKey(spelled, rules), spelled)
      return spelled
    },
    names: () => [...held.values()],
  }
}

test('F54: case twins lie beside each other, and each finds its own again', async () => {
  const folder = aFolder(dropbox)

  const first = await folder.put('README.md')
  const second = await folder.put('readme.md')
  const third = await folder.put('Readme.md')
  const again = [await folder.put('Readme.md'), await folder.put('README.md'), await folder.put('readme.md')]

  expect(first).toBe('README.md')
  expect(second).toMatch(/^readme‛t[a-z2-7]{8}\.md$/)
  expect(again).toEqual([third, first, second])
  expect(folder.names().map((spelled) => decodeName(spelled, dropbox))).toEqual(
    ['README.md', 'readme.md', 'Readme.md'].map((name) => ({ kind: 'whole', name, isOurs: true })),
  )
})

test('F54: where case counts, twins keep their names', async () => {
  const folder = aFolder(googleDrive)

  expect([await folder.put('a'), await folder.put('A')]).toEqual(['a', 'A'])
})

test("F54: a name's spelling beside a twin is its own, and never changes", () => {
  expect(spelling(encodeTwin('README.md', dropbox))).toBe('README‛ttvdfrimz.md')
  expect(spelling(encodeTwin('.profile', dropbox))).toBe('.profile‛t2hbezhtx')
  expect(spelling(encodeTwin(`${decomposed}.txt`, dropbox))).toBe('é‛n‛t4j7smacn.txt')
})

test('F54: a name for which both its places are held by others is refused in words', async () => {
  const taken = await chooseName('a', box, () => Promise.resolve('other'), below, never)

  expect(taken).toEqual({
    kind: 'refused',
    why: 'Box takes a for other names that lie there already. Rename one of them',
  })
})

test('F52: a name that is too long keeps its beginning and its extension, and is always the same', () => {
  const name = `${'ü'.repeat(100)}:${'x'.repeat(300)}.tar.gz`

  const encoded = encodeName(name, oneDrive)

  expect(encoded).toMatchObject({ isWhole: false })
  expect(spelling(encoded)).toHaveLength(255)
  expect(spelling(encoded)).toMatch(/^ü{100}：x+\.?[a-z]*‛h[a-z2-7]{16}\.gz$/)
  expect(encodeName(name, oneDrive)).toEqual(encoded)
  expect(encodeTwin(name, oneDrive)).toEqual(encoded)
  expect(spelling(encodeName(`${name}2`, oneDrive))).not.toBe(spelling(encoded))
})

test('F52: of a name that was too long, its beginning and end can be read', () => {
  const decoded = decodeName(spelling(encodeName(`a:${'x'.repeat(300)}.gz`, oneDrive)), oneDrive)

  expect(decoded).toEqual({ kind: 'shortened', start: `a:${'x'.repeat(232)}`, end: '.gz' })
})

test('F52: no substitute and no pair of surrogates is cut in two', () => {
  const spelled = spelling(encodeName(`${bytes(0xff).repeat(81)}${'🎏'.repeat(100)}`, box))

  expect(spelled).toMatch(/^(‛FF){79}‛h[a-z2-7]{16}$/)
  expect(spelling(encodeName(`a${'🎏'.repeat(200)}`, box))).toMatch(/^a(🎏){118}‛h[a-z2-7]{16}$/u)
})

test('F52: a path that is too long only for its last name has that one shortened', () => {
  const folder = 'f'.repeat(200)
  const above = { unitsAbove: 100, isRoot: false }

  const encoded = encodePath(`${folder}/${'n'.repeat(150)}.pdf`, oneDrive, above)

  expect(encoded).toMatchObject({
    kind: 'spelled',
    isWhole: false,
    names: [folder, expect.stringMatching(/^n{77}‛h.{16}\.pdf$/)],
  })
  expect(encodePath(`${folder}/${'n'.repeat(150)}.pdf`, dropbox, above)).toMatchObject({ isWhole: true })
})

test('F52: a path whose folders are too long is refused in words', () => {
  const above = { unitsAbove: 200, isRoot: false }

  expect(encodePath(`${'f'.repeat(199)}/name.pdf`, oneDrive, above)).toEqual({
    kind: 'refused',
    why: 'the path of name.pdf is too long: OneDrive allows 400 characters from its root on. Shorten the names of its folders',
  })
})

test.each(['/a', 'a//b', 'a/../b', '..', '.', 'a/.', 'a\0b', 'a/'])('F60: the path %j is refused', (path) => {
  for (const rules of Object.values(nameRules))
    expect(encodePath(path, rules, { unitsAbove: 0, isRoot: true })).toMatchObject({ kind: 'refused' })
})

test.each(['..', '.', '', '../x', 'a/b', '/etc/passwd', 'a\0', '\ud800'])(
  'F60: a name %j at Drive is no name here',
  (spelled) => {
    expect(decodeName(spelled, googleDrive)).toMatchObject({ kind: 'refused' })
  },
)

test.each(['‛2E‛2E', '..‛2Fx', 'a‛00', '‛2E.'])(
  'F60: %j, which reads as a way out, is left as it is spelled',
  (spelled) => {
    for (const rules of Object.values(nameRules))
      expect(decodeName(spelled, rules)).toEqual({ kind: 'whole', name: spelled, isOurs: false })
  },
)

test('a name that somebody else put there is read, and known for not ours', () => {
  const foreign = { kind: 'whole', isOurs: false }

  expect(decodeName(`caf${decomposed}`, dropbox)).toEqual({ ...foreign, name: `caf${decomposed}` })
  expect(decodeName('a‛tabcdefgh.txt', dropbox)).toEqual({ ...foreign, name: 'a‛tabcdefgh.txt' })
  expect(decodeName('‛fe', dropbox)).toEqual({ ...foreign, name: bytes(0xfe) })
  expect(decodeName('x?', oneDrive)).toEqual({ ...foreign, name: 'x?' })
})
