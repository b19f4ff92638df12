import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { decodeName, sourcePath } from '../../src/base/path.ts'
import { selector } from '../../src/pipeline/pipeline.ts'

const all = { sources: undefined, include: [], exclude: [], sizeMin: 0, sizeMax: undefined, newerThanMs: undefined }
const nowNs = BigInt(Date.now()) * 1_000_000n

function verdict(select: Partial<typeof all> | object, path: string, size = 100, mtimeNs = nowNs): string {
  const { takes, rule } = selector(
    { ...all, ...select },
    systemClock,
  )({ source: 'papers', path: sourcePath(path), size, mtimeNs })
  return `${takes ? 'takes' : 'leaves'} by ${rule}`
}

describe('a selector', () => {
  test.each([
    [{}, 'a/b.txt', 'takes by everything'],
    [{ include: ['**/*.pdf'] }, 'a/b/c.pdf', 'takes by include: **/*.pdf'],
    [{ include: ['*.pdf'] }, 'a/b/c.pdf', 'takes by include: *.pdf'],
    [{ include: ['/*.pdf'] }, 'a/c.pdf', 'leaves by include: none of /*.pdf matches a/c.pdf'],
    [{ include: ['a/'] }, 'a/b/c', 'takes by include: a/'],
    [{ exclude: ['draft/**'] }, 'draft/x', 'leaves by exclude: draft/**'],
    [{ exclude: ['copyright'] }, 'deep/er/copyright', 'leaves by exclude: copyright'],
    [{ exclude: ['*.tmp', '!keep.tmp'] }, 'keep.tmp', 'takes by everything'],
    [{ include: ['*.pdf'], exclude: ['draft/**'] }, 'draft/x.pdf', 'leaves by exclude: draft/**'],
    [{ sources: ['photos'] }, 'a', 'leaves by sources: photos'],
    [{ include: ['.*'] }, '.hidden', 'takes by include: .*'],
  ])('%j: %s', (select, path, expected) => {
    expect(verdict(select, path)).toBe(expected)
  })

  test('sizes are inclusive on both sides', () => {
    const select = { sizeMin: 10, sizeMax: 4096 }

    expect([9, 10, 4096, 4097].map((size) => verdict(select, 'a', size))).toEqual([
      'leaves by min-size: 10 B',
      'takes by everything',
      'takes by everything',
      'leaves by max-size: 4.0 KiB',
    ])
  })

  test('age is the time since the last modification', () => {
    const hourNs = 3_600_000_000_000n

    expect(verdict({ newerThanMs: 7_200_000 }, 'a', 1, nowNs - hourNs)).toBe('takes by everything')
    expect(verdict({ newerThanMs: 7_200_000 }, 'a', 1, nowNs - 3n * hourNs)).toBe('leaves by newer-than: 2h')
  })

  test('F17: names that are no UTF-8 are matched like others', () => {
    expect(verdict({ include: ['*.pdf'] }, decodeName(Buffer.from([0xff, 0x2e, 0x70, 0x64, 0x66])))).toBe(
      'takes by include: *.pdf',
    )
  })

  test('it answers the same after a hundred thousand paths', () => {
    const takes = selector({ ...all, include: ['*7'] }, systemClock)
    let taken = 0
    for (let n = 0; n < 100_000; n++) {
      if (takes({ source: 'papers', path: sourcePath(`d${n % 100}/f${n}`), size: 1, mtimeNs: nowNs }).takes) taken++
    }

    expect(taken).toBe(10_000)
  })
})
