/** Dropbox's content hash, and that it can be written down and gone on with. */
import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { ContentHash, hashBlockBytes } from '../../src/target/dropbox/content-hash.ts'
import { RunningSha256 } from '../../src/target/running-sha256.ts'

const zeros = (count: number): Buffer => Buffer.alloc(count)

describe('the content hash of', () => {
  const cases: [title: string, bytes: Buffer, hex: string][] = [
    ['nothing', zeros(0), createHash('sha256').digest('hex')],
    ['one block', zeros(hashBlockBytes), 'c7e946d101855255d919ef0c70718633adf77d3dfb3adeeecf5d0cb4e951be58'],
    ['a byte more', zeros(hashBlockBytes + 1), '14a4d47f23a30177885d9820122f17d2d3a55fe63f7f5c27b95f689e0b2accd6'],
  ]
  for (const [title, bytes, hex] of cases) test(title, () => expect(ContentHash.of(bytes)).toBe(hex))
})

test('a hash goes on from what was written down between two blocks, and from nowhere else', () => {
  const bytes = randomBytes(3 * hashBlockBytes + 5)
  const begun = new ContentHash()

  begun.update(bytes.subarray(0, hashBlockBytes + 1))
  const inside = begun.save()
  begun.update(bytes.subarray(hashBlockBytes + 1, 3 * hashBlockBytes))
  const restored = ContentHash.restore(begun.save() ?? '')
  restored?.update(bytes.subarray(3 * hashBlockBytes))

  expect(inside).toBeUndefined()
  expect(restored?.hex()).toBe(ContentHash.of(bytes))
})

test('a copy and its original go separate ways', () => {
  const hash = new ContentHash()
  hash.update(Buffer.from('common'))
  const copy = hash.copy()

  copy.update(Buffer.from(' more'))

  expect([hash.hex(), copy.hex()]).toEqual([
    ContentHash.of(Buffer.from('common')),
    ContentHash.of(Buffer.from('common more')),
  ])
})

test('the running SHA-256 is the one of everybody, whatever the pieces, also when written down between any two', () => {
  for (let length = 0; length < 200; length++) {
    const bytes = randomBytes(length)
    let running = new RunningSha256()
    for (let at = 0; at < length; at += 1 + (at % 7)) {
      running.update(bytes.subarray(at, Math.min(length, at + 1 + (at % 7))))
      running = RunningSha256.restore(running.save()) ?? running
    }

    expect(running.hex()).toBe(createHash('sha256').update(bytes).digest('hex'))
  }
})

test('a text that nobody wrote down is not gone on with', () => {
  for (const text of ['', 'x', `1:${'0'.repeat(64)}:`, `-1:${'0'.repeat(64)}:`]) {
    expect(ContentHash.restore(text)).toBeUndefined()
  }
})
