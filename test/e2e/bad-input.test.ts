import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { aBench, fanfold, fanfoldAs, isAtRest, startDaemon, targetOf, writeConfig } from './rig.ts'

describe('a wrong configuration ends with 78 and says where and what', () => {
  test.each([
    ['an unknown key', 'selekt: { max-size: 4KiB }', /fanfold\.yaml:\d+:\d+.*selekt.*select/s],
    ['a wrong unit', 'select: { max-size: 4 }', /fanfold\.yaml:\d+:\d+.*max-size/s],
  ])('%s', async (_what, line, words) => {
    const bench = aBench({ nas: line })

    const ended = await fanfold(bench, 'run')

    expect(ended.code).toBe(78)
    expect(ended.stderr).toMatch(words)
  })

  test('two targets with one name, and a target inside a source, in one go', async () => {
    const bench = aBench({ nas: '' })
    const twice = `${readFileSync(bench.config, 'utf8')}  - { name: nas, kind: directory, path: ./inbox/copies }\n`
    writeFileSync(bench.config, twice)

    const ended = await fanfold(bench, 'check')

    expect(ended.code).toBe(78)
    expect(ended.stderr).toMatch(/name "nas" is taken in line 7/)
    expect(ended.stderr).toContain('inbox/copies')
  })
})

describe('what goes wrong while it runs is told, and everything else goes on', () => {
  test('a source folder that is missing: the others are archived, and it is taken up when it appears', async () => {
    const bench = aBench({ nas: '' })
    const config = readFileSync(bench.config, 'utf8').replace(
      'targets:',
      '  - { name: later, path: ./later, settle: 200ms }\ntargets:',
    )
    writeFileSync(bench.config, config.replaceAll("'{path}'", "'{source}/{path}'"))
    writeFileSync(join(bench.inbox, 'a'), 'a')
    const daemon = await startDaemon(bench)

    const status = await daemon.until(
      (seen) => targetOf(seen, 'nas').delivered === 1 && seen.sources.some(({ state }) => state === 'missing'),
    )
    mkdirSync(join(bench.folder, 'later'))
    writeFileSync(join(bench.folder, 'later', 'b'), 'b')
    await daemon.until((seen) => targetOf(seen, 'nas').delivered === 2, 20_000)

    expect(status.healthy).toBe(false)
    expect(status.sources.find(({ name }) => name === 'later')?.reason).toContain(join(bench.folder, 'later'))
    expect(readFileSync(join(bench.copies('nas'), 'later/b'), 'utf8')).toBe('b')
  }, 40_000)

  test('run --until-idle does what it can beside a missing source and a target that cannot be, and ends with 1 and the reasons', async () => {
    const bench = aBench({ nas: '', lost: '' })
    const config = readFileSync(bench.config, 'utf8')
      .replace('targets:', '  - { name: gone, path: ./gone }\ntargets:')
      .replace('./copies/lost', './a-file/lost')
    writeFileSync(bench.config, config.replaceAll("'{path}'", "'{source}/{path}'"))
    writeFileSync(join(bench.folder, 'a-file'), 'no folder')
    writeFileSync(join(bench.inbox, 'a'), 'a')

    const ended = await fanfold(bench, 'run', '--until-idle')

    expect(ended.code).toBe(1)
    expect(ended.stdout).toContain(join(bench.folder, 'gone'))
    expect(ended.stdout).toContain(join(bench.folder, 'a-file/lost'))
    expect(readFileSync(join(bench.copies('nas'), 'inbox/a'), 'utf8')).toBe('a')
  })

  test('F86: a damaged journal is put aside with a word in the log, and nothing is sent again', async () => {
    const bench = aBench({ nas: '' })
    for (let n = 0; n < 50; n++) writeFileSync(join(bench.inbox, `f${n}`), `content ${n}`)
    await fanfold(bench, 'run', '--until-idle')
    const journal = join(bench.folder, 'state', 'journal.sqlite')
    writeFileSync(journal, 'not a database at all, but a shopping list\n'.repeat(300))

    const again = await fanfold(bench, 'run', '--until-idle')
    const history = await fanfold(bench, 'history', '--limit', '1000', '--json')

    expect(again.code, again.stderr).toBe(0)
    expect(again.stderr).toContain('the journal was damaged and is kept as')
    expect(history.stdout).toContain('journal-damaged')
    expect(history.stdout).toContain('already there')
    expect(history.stdout).not.toContain('sent:')
  })

  test('F89: a second daemon on one state directory is refused with the first one’s process number', async () => {
    const bench = aBench({ nas: '' })
    const daemon = await startDaemon(bench)

    const second = await fanfold(bench, 'run')

    expect(second.code).toBe(1)
    expect(second.stderr).toContain(String(daemon.pid))
    expect((await daemon.status()).targets).toHaveLength(1)
  })

  test('F17, F50, F51, F57: odd names and kinds are archived or counted, and hold nobody up', async () => {
    const bench = aBench({ nas: '' })
    const badName = Buffer.concat([Buffer.from(join(bench.inbox, 'bad-')), Buffer.from([0xff, 0xfe])])
    writeFileSync(badName, 'bad name')
    writeFileSync(join(bench.inbox, 'line\nbreak'), 'newline')
    execFileSync('mkfifo', [join(bench.inbox, 'pipe')])
    symlinkSync('.', join(bench.inbox, 'loop'))
    const socket = createServer().listen(join(bench.inbox, 'socket'))
    writeFileSync(join(bench.inbox, 'normal'), 'normal')

    const ended = await fanfold(bench, 'run', '--until-idle')
    socket.close()

    expect(ended.code, ended.stderr + ended.stdout).toBe(0)
    const copies = readdirSync(bench.copies('nas'), { encoding: 'buffer' }).map((name) => name.toString('latin1'))
    expect(copies.sort()).toEqual(['bad-\xff\xfe', 'line\nbreak', 'normal'])
  })

  test('F57: an unreadable file is parked with its errno and the next step; the rest is delivered; readable again, it goes', async () => {
    const bench = aBench({ nas: '' })
    writeFileSync(join(bench.inbox, 'open'), 'open')
    writeFileSync(join(bench.inbox, 'locked'), 'locked')
    chmodSync(join(bench.inbox, 'locked'), 0)
    chmodSync(bench.folder, 0o777)
    const asNobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : undefined

    const first = await fanfoldAs(asNobody, bench.config, 'run', '--until-idle')
    const status = await fanfoldAs(asNobody, bench.config, 'status', '--json')
    chmodSync(join(bench.inbox, 'locked'), 0o644)
    const second = await fanfoldAs(asNobody, bench.config, 'run', '--until-idle')

    expect(first.code).toBe(1)
    expect(first.stdout).toMatch(/locked.*EACCES/s)
    expect(JSON.parse(status.stdout)).toMatchObject({ targets: [{ delivered: 1, parked: 1 }] })
    expect(second.code, second.stdout + second.stderr).toBe(0)
    expect(readFileSync(join(bench.copies('nas'), 'locked'), 'utf8')).toBe('locked')
  })

  test('F23: a file that changes while it is read is never torn at the target', async () => {
    const bench = aBench({ nas: '' })
    const size = 24 * 2 ** 20
    const path = join(bench.inbox, 'busy')
    const daemon = await startDaemon(bench)
    await daemon.until((status) => status.sources.every(({ state }) => state === 'watching'))
    const torn: string[] = []

    for (let round = 0; round < 12; round++) {
      const fd = openSync(path, 'w')
      const whole = Buffer.alloc(size, round + 65)
      for (let at = 0; at < size; at += 2 ** 20) writeSync(fd, whole, at, 2 ** 20, at)
      closeSync(fd)
      await new Promise((resolve) => setTimeout(resolve, round * 15))
      torn.push(...tornCopies(join(bench.copies('nas'), 'busy'), size))
    }
    await daemon.until(isAtRest, 30_000)

    expect(torn).toEqual([])
    expect(readFileSync(join(bench.copies('nas'), 'busy')).equals(readFileSync(path))).toBe(true)
  }, 60_000)

  test('F25: an atomic save is one copy, and its temporary name never reaches a target', async () => {
    const bench = aBench({ nas: '' })
    const daemon = await startDaemon(bench)
    await daemon.until((status) => status.sources.every(({ state }) => state === 'watching'))

    writeFileSync(join(bench.inbox, 'letter.tmp'), 'second version')
    renameSync(join(bench.inbox, 'letter.tmp'), join(bench.inbox, 'letter'))
    await daemon.until((status) => targetOf(status, 'nas').delivered === 1)
    await daemon.until(isAtRest)

    expect(readdirSync(bench.copies('nas'))).toEqual(['letter'])
  })

  test('F95: a target that leaves the configuration is forgotten quietly, and comes back to its receipts', async () => {
    const bench = aBench({ nas: '', usb: '' })
    writeFileSync(join(bench.inbox, 'a'), 'a')
    await fanfold(bench, 'run', '--until-idle')

    writeConfig(bench, { nas: '' })
    writeFileSync(join(bench.inbox, 'meanwhile'), 'meanwhile')
    const alone = await fanfold(bench, 'run', '--until-idle')
    writeConfig(bench, { nas: '', usb: '' })
    const again = await fanfold(bench, 'run', '--until-idle')

    expect([alone.code, again.code]).toEqual([0, 0])
    expect(readFileSync(join(bench.copies('usb'), 'meanwhile'), 'utf8')).toBe('meanwhile')
  })
})

/** A copy that is not one version from its first byte to its last. */
function tornCopies(path: string, size: number): string[] {
  let copy: Buffer
  try {
    copy = readFileSync(path)
  } catch {
    // Not there yet.
    return []
  }
  const isWhole = copy.length === size && copy.every((byte) => byte === copy[0])
  return isWhole ? [] : [`${copy.length} bytes, first ${copy[0]}, last ${copy[copy.length - 1]}`]
}
