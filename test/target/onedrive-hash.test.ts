/** OneDrive's content hash: by an independent second writing of it, in any pieces, and gone on with in another process. */
import { randomBytes, randomInt } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { QuickXor } from '../../src/target/onedrive/quickxor.ts'
import { hashOf } from '../emulator/core/hashes.ts'

const sizes = [0, 1, 3, 4, 159, 160, 161, 319, 320, 1000, 4099, 327_680, 2 ** 20 + 7]

// Source of the values: rclone's quickxorhash tests, made with the vendor's own code.
test.each([
  ['', 'AAAAAAAAAAAAAAAAAAAAAAAAAAA='],
  ['Sg==', 'SgAAAAAAAAAAAAAAAQAAAAAAAAA='],
  ['tbQ=', 'taAFAAAAAAAAAAAAAgAAAAAAAAA='],
])('of the bytes %s in base64 is %s', (content, hash) => {
  expect(QuickXor.of(Buffer.from(content, 'base64'))).toBe(hash)
})

test.each(sizes)('of %i bytes is what another writing of it says', (size) => {
  const bytes = randomBytes(size)

  expect(QuickXor.of(bytes)).toBe(hashOf('quickxor', bytes))
})

test('is the same in whatever pieces the bytes come, wherever these lie in memory', () => {
  const bytes = randomBytes(100_003)
  const expected = hashOf('quickxor', bytes)
  for (let round = 0; round < 50; round++) {
    const hash = new QuickXor()
    const cuts: number[] = []
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(at + randomInt(1, 5000), bytes.length)
      hash.update(bytes.subarray(at, end))
      cuts.push(end)
      at = end
    }
    expect(hash.base64(), `cut at ${cuts.join(' ')}`).toBe(expected)
  }
})

describe('a saved state', () => {
  test.each(sizes)('of %i bytes is gone on with', (size) => {
    const [first, second] = [randomBytes(size), randomBytes(777)]
    const hash = new QuickXor()
    hash.update(first)

    const restored = QuickXor.restore(hash.save())
    restored?.update(second)

    expect(restored?.base64()).toBe(hashOf('quickxor', Buffer.concat([first, second])))
  })

  test.each(['', 'x', '5:', '5:AAAA', `-1:${Buffer.alloc(160).toString('base64')}`])('is not %j', (text) => {
    expect(QuickXor.restore(text)).toBeUndefined()
  })

  test('of a copy stays as it was', () => {
    const hash = new QuickXor()
    hash.update(randomBytes(500))
    const before = hash.save()

    hash.copy().update(randomBytes(500))

    expect(hash.save()).toBe(before)
  })
})
