import { expect, test } from 'vitest'
import {
  decodeName,
  encodeName,
  folderOf,
  isUtf8Name,
  joinPath,
  nameOf,
  showPath,
  sourcePath,
} from '../../src/base/path.ts'
import { seededRandom } from '../../src/base/random.ts'
import { aSeed } from '../builders.ts'

test('F17: any bytes come back as they were', () => {
  const seed = aSeed()
  const random = seededRandom(seed)
  for (let n = 0; n < 20_000; n++) {
    const length = Math.floor(random() * 12)
    // Half of the bytes from where UTF-8 sequences begin and go on, so that nearly valid ones occur.
    const bytes = Uint8Array.from({ length }, () => (random() < 0.5 ? 0x80 + random() * 0x80 : random() * 256))

    const back = encodeName(decodeName(bytes))

    expect(
      back.equals(bytes),
      `seed ${seed}: ${Buffer.from(bytes).toString('hex')} became ${back.toString('hex')}`,
    ).toBe(true)
  }
})

test('F17: different bytes are different names', () => {
  const names = [[0xff], [0xfe], [0xed, 0xb3, 0xbf], [0xc3, 0xbf], [0x61, 0xff]].map((bytes) =>
    decodeName(Uint8Array.from(bytes)),
  )

  expect(new Set(names).size).toBe(names.length)
  expect(names.map(isUtf8Name)).toEqual([false, false, false, true, false])
})

test('valid names are ordinary strings', () => {
  expect(decodeName(Buffer.from('grüße aus 東京 🎏.txt'))).toBe('grüße aus 東京 🎏.txt')
  expect(isUtf8Name('grüße 🎏')).toBe(true)
})

test('a byte order mark is part of the name', () => {
  expect(encodeName(decodeName(Buffer.from([0xef, 0xbb, 0xbf, 0x61]))).toString('hex')).toBe('efbbbf61')
})

test('for people, odd bytes and control characters are written out', () => {
  expect(showPath(decodeName(Buffer.from([0x61, 0xff, 0x0a, 0x62])))).toBe('a\\xff\\x0ab')
  expect(showPath('ü/🎏')).toBe('ü/🎏')
})

test.each(['/a', 'a//b', 'a/../b', '.', '..', 'a/.', 'a\0b', 'a/'])('F60: %j leaves its root', (path) => {
  expect(() => sourcePath(path)).toThrow(RangeError)
})

test('paths are taken apart and put together', () => {
  expect([folderOf('a/b/c'), nameOf('a/b/c'), folderOf('c'), joinPath('', 'c'), joinPath('a/b', 'c')]).toEqual([
    'a/b',
    'c',
    '',
    'c',
    'a/b/c',
  ])
})
