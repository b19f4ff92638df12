/** What a restore does with the folder it is given: nothing but what it was asked for, and nothing outside of it. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { fsPath } from '../../src/base/path.ts'
import { aRoom, giving, mtimeNs, wanted } from './room.ts'

const large = randomBytes(5 * 2 ** 20)

test('a file comes back with its content and its time to the nanosecond, and nothing beside it', async () => {
  const room = aRoom({ nas: giving('content') })

  const tally = await room.run([wanted('a/b/c.txt', 'content')])

  expect(readFileSync(join(room.to, 'a/b/c.txt'), 'utf8')).toBe('content')
  expect(statSync(join(room.to, 'a/b/c.txt'), { bigint: true }).mtimeNs).toBe(mtimeNs)
  expect(readdirSync(join(room.to, 'a/b'))).toEqual(['c.txt'])
  expect(tally).toMatchObject({ restored: 1, restoredBytes: 7, alreadyThere: 0, failed: 0, skipped: 0 })
})

test.each(['caf\udce9.txt', 'new\nline', '-rf *', ' lead', 'ü\u0308', '東京/🎏', `${'x'.repeat(251)}.txt`, '‛FE：'])(
  'F17, F60: the name %j comes back as it was',
  async (name) => {
    const room = aRoom({ nas: giving('x') })

    await room.run([wanted(name, 'x')])

    expect(readFileSync(fsPath(`${room.to}/${name}`), 'utf8')).toBe('x')
  },
)

test('empty files, files before 1970 and paths longer than the system takes in one call come back', async () => {
  const room = aRoom({ nas: giving('') })
  const deep = Array.from({ length: 30 }, () => 'd'.repeat(200)).join('/')

  const tally = await room.run([wanted('old', '', { mtimeNs: -1_000_000_001n }), wanted(`${deep}/x`, '')])

  expect(tally).toMatchObject({ restored: 2, failed: 0 })
  expect(statSync(join(room.to, 'old'), { bigint: true }).mtimeNs).toBe(-1_000_000_001n)
  // Node itself cannot name them.
  execFileSync('rm', ['-r', room.to])
})

describe('F60: nothing is written outside of the folder', () => {
  test.each(['../out', 'a/../../out', '/etc/out', 'a//b', './x', 'a\0b', ''])('by the name %j', async (path) => {
    const room = aRoom({ nas: giving('x') })

    const tally = await room.run([wanted(path, 'x')])

    expect(tally).toMatchObject({ restored: 0, failed: 1 })
    expect(readdirSync(dirname(room.to))).toEqual(['restored'])
    expect(readdirSync(room.to)).toEqual([])
  })

  test('by a symbolic link on the way, whatever is said', async () => {
    const room = aRoom({ nas: giving('x') })
    const outside = join(dirname(room.to), 'outside')
    mkdirSync(outside)
    symlinkSync(outside, join(room.to, 'a'))

    const tally = await room.run([wanted('a/x', 'x')], { force: true })

    expect(readdirSync(outside)).toEqual([])
    expect(tally.failures[0]?.reason).toMatch(/symbolic link stands where the folder a must be/)
  })

  test('by a symbolic link in the place of the file: it is left alone, or replaced itself', async () => {
    const room = aRoom({ nas: giving('x') })
    const outside = join(dirname(room.to), 'outside')
    writeFileSync(outside, 'theirs')
    symlinkSync(outside, join(room.to, 'x'))

    const first = await room.run([wanted('x', 'x')])
    const second = await room.run([wanted('x', 'x')], { force: true })

    expect([first.skipped, second.restored]).toEqual([1, 1])
    expect(readFileSync(outside, 'utf8')).toBe('theirs')
    expect(readFileSync(join(room.to, 'x'), 'utf8')).toBe('x')
  })
})

describe('what stands there already', () => {
  test('is not fetched again where size and time, or the content, are right', async () => {
    const room = aRoom({ nas: giving('content') })
    await room.run([wanted('same', 'content')])
    writeFileSync(join(room.to, 'touched'), 'content')

    const tally = await room.run([wanted('same', 'content'), wanted('touched', 'content')])

    expect(tally).toMatchObject({ restored: 0, alreadyThere: 2 })
    expect(room.asked.length).toBe(1)
  })

  test('is never replaced without --force, not even by a content of its size', async () => {
    const room = aRoom({ nas: giving('content') })
    writeFileSync(join(room.to, 'x'), 'another')

    const kept = await room.run([wanted('x', 'content')])
    const standing = readFileSync(join(room.to, 'x'), 'utf8')
    const forced = await room.run([wanted('x', 'content')], { force: true })

    expect(kept).toMatchObject({ skipped: 1, failed: 0, skips: [{ path: 'x' }] })
    expect(standing).toBe('another')
    expect(forced.restored).toBe(1)
    expect(readFileSync(join(room.to, 'x'), 'utf8')).toBe('content')
  })

  test('came while the file was fetched: it is not replaced either', async () => {
    const give = giving('content')
    const room = aRoom({
      nas: (copy, start) => {
        writeFileSync(join(room.to, 'x'), 'theirs')
        return give(copy, start)
      },
    })

    const tally = await room.run([wanted('x', 'content')])

    expect(tally.skipped).toBe(1)
    expect(readFileSync(join(room.to, 'x'), 'utf8')).toBe('theirs')
    expect(readdirSync(room.to)).toEqual(['x'])
  })

  test('is a folder or a file in the place of one: told, the others go on', async () => {
    const room = aRoom({ nas: giving('x') })
    mkdirSync(join(room.to, 'folder'))
    writeFileSync(join(room.to, 'file'), '')

    const tally = await room.run([wanted('folder', 'x'), wanted('file/x', 'x'), wanted('y', 'x')], { force: true })

    expect(tally).toMatchObject({ restored: 1, failed: 2 })
  })

  test('a dry run says the same and changes nothing', async () => {
    const room = aRoom({ nas: giving('content') })
    writeFileSync(join(room.to, 'other'), 'another')

    const tally = await room.run([wanted('other', 'content'), wanted('a/new', 'content')], { dryRun: true })

    expect(tally).toMatchObject({ restored: 1, restoredBytes: 7, skipped: 1 })
    expect(readdirSync(room.to)).toEqual(['other'])
    expect(room.asked).toEqual([])
  })
})

describe('a copy', () => {
  test('of another content gets no name, and the next target is asked', async () => {
    const room = aRoom({ nas: giving('wrong!!'), drive: giving('content') })

    const good = await room.run([wanted('x', 'content', { at: ['nas', 'drive'] })])
    const bad = await room.run([wanted('y', 'content')])

    expect(good).toMatchObject({ restored: 1, from: new Map([['drive', 1]]) })
    expect(bad.failures[0]?.reason).toMatch(/nas: its copy is another content: expected the sha256 .* got/)
    expect(readdirSync(room.to)).toEqual(['x'])
  })

  test('that is too long or too short gets no name', async () => {
    const room = aRoom({ nas: giving('content and more'), drive: giving('cont') })

    const tally = await room.run([wanted('x', 'content'), wanted('y', 'content', { at: ['drive'], sha256: null })])

    // Both are written at once, so that either may be told first.
    const reasons = tally.failures.map(({ reason }) => reason).join()
    expect(reasons).toContain('expected 7 bytes, got 16')
    expect(reasons).toMatch(/expected 7 bytes, got 4\b/)
    expect(readdirSync(room.to)).toEqual([])
  })

  test('that breaks off in the middle is gone on with at the other target, from that byte on', async () => {
    const room = aRoom({ nas: giving(large, 2 ** 20), drive: giving(large) })

    const tally = await room.run([wanted('x', large, { at: ['nas', 'drive'] })])

    expect(tally).toMatchObject({ restored: 1, from: new Map([['drive', 1]]) })
    expect(room.asked).toEqual([
      { target: 'nas', start: 0 },
      { target: 'drive', start: 2 ** 20 },
    ])
    expect(readFileSync(join(room.to, 'x')).equals(large)).toBe(true)
  })

  test('of a target that always fails is asked for last, and no file is lost for it', async () => {
    const room = aRoom({ nas: giving('x', 0), drive: giving('x') })
    const files = Array.from({ length: 200 }, (_, n) => wanted(`f${n}`, 'x', { at: ['nas', 'drive'] }))

    const tally = await room.run(files)

    expect(tally).toMatchObject({ restored: 200, failed: 0 })
    expect(room.asked.filter(({ target }) => target === 'nas').length).toBeLessThan(20)
  })

  test('that no target gives ends everything after a hundred in a row, with what to do', async () => {
    const room = aRoom({ nas: giving('x', 0) })
    const files = Array.from({ length: 400 }, (_, n) => wanted(`f${n}`, 'x'))

    const tally = await room.run(files)

    expect(tally.troubles.join()).toMatch(/gave up after 100 .* run the same command again/)
    expect(tally.failed).toBeLessThan(110)
  })
})

describe('a large file that was not finished', () => {
  test('is gone on with by the next run, and proven as a whole', async () => {
    const room = aRoom({ nas: giving(large, 3 * 2 ** 20), good: giving(large) })
    const first = await room.run([wanted('x', large)])
    const left = readdirSync(room.to)
    room.asked.length = 0

    const second = await room.run([wanted('x', large, { at: ['good'] })])

    expect(first.failed).toBe(1)
    expect(left.length).toBe(1)
    expect(second.restored).toBe(1)
    expect(room.asked[0]?.start).toBeGreaterThanOrEqual(3 * 2 ** 20)
    expect(readdirSync(room.to)).toEqual(['x'])
    expect(readFileSync(join(room.to, 'x')).equals(large)).toBe(true)
  })

  test('is begun anew where what was left is not its beginning', async () => {
    const room = aRoom({ nas: giving(large, 3 * 2 ** 20), good: giving(large) })
    await room.run([wanted('x', large)])
    const [left = ''] = readdirSync(room.to)
    writeFileSync(join(room.to, left), randomBytes(2 * 2 ** 20))

    const second = await room.run([wanted('x', large, { at: ['good'] })])

    expect(second.restored).toBe(1)
    expect(readFileSync(join(room.to, 'x')).equals(large)).toBe(true)
  })

  test('without a hash is fetched from its beginning', async () => {
    const room = aRoom({ nas: giving(large, 3 * 2 ** 20), good: giving(large) })
    await room.run([wanted('x', large, { sha256: null })])

    await room.run([wanted('x', large, { sha256: null, at: ['good'] })])

    expect(room.asked.every(({ start }) => start === 0)).toBe(true)
    expect(readdirSync(room.to)).toEqual(['x'])
  })
})

test('an abort ends it, and only whole files have names', async () => {
  const abort = new AbortController()
  const give = giving(large)
  const room = aRoom({
    nas: (copy, start) => {
      if (room.asked.length === 3) abort.abort(new Error('enough'))
      return give(copy, start)
    },
  })

  const run = room.run(
    Array.from({ length: 20 }, (_, n) => wanted(`f${n}`, large)),
    { signal: abort.signal },
  )

  await expect(run).rejects.toThrow('enough')
  for (const name of readdirSync(room.to).filter((each) => each.startsWith('f')))
    expect(readFileSync(join(room.to, name)).equals(large)).toBe(true)
})

test('several targets listed one after the other: what one could not give another one gives', async () => {
  const room = aRoom({ nas: giving('x', 0), drive: giving('x'), box: giving('x') })
  const file = wanted('a', 'x')
  const lists = [
    { kind: 'begin', isBare: true, targets: ['nas', 'drive', 'box'], files: null } as const,
    file,
    wanted('a', 'x', { at: ['drive'], mtimeNs: mtimeNs + 5n, sha256: null }),
    wanted('b', 'x', { at: ['drive'] }),
    wanted('b', 'x', { at: ['box'], mtimeNs: mtimeNs + 5n, sha256: null }),
  ]

  const tally = await room.run(lists)

  expect(tally).toMatchObject({ restored: 2, skipped: 0, alreadyThere: 0 })
  expect(tally.failed).toBe(0)
})

test('what is restored where somebody watches is ignored until it has its name', async () => {
  const room = aRoom({ nas: giving(large, 2 ** 21) })
  await room.run([wanted('x', large)])

  expect(readdirSync(room.to)[0]).toMatch(/^\.fanfold-restore-[0-9a-f]{32}\.part$/)
  utimesSync(room.to, 0, 0)
  expect(existsSync(join(room.to, 'x'))).toBe(false)
})
