import { linkSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import { treeOf } from '../tree.ts'
import { aBench, fanfold, isAtRest, startDaemon, targetOf, type Bench } from './rig.ts'

/** A tree with what real trees have: depth, empty files, Unicode, many small files and a few larger ones. */
function fillInbox(bench: Bench, files: number): void {
  const random = seededRandom(7)
  for (let n = 0; n < files; n++) {
    const folder = join(bench.inbox, `year ${2000 + (n % 7)}`, `Ordner ${String(n % 13)} ü`)
    mkdirSync(folder, { recursive: true })
    const ending = ['txt', 'gz', 'pdf', 'copyright'][n % 4] ?? 'txt'
    const size = n % 50 === 0 ? 0 : n % 97 === 0 ? 2_500_000 : Math.floor(random() * 9000)
    const path = join(folder, n % 31 === 0 ? `copyright-${n}/copyright` : `f${n}.${ending}`)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, Buffer.alloc(size, n % 251))
    utimesSync(path, 1_600_000_000 + n + 0.25, 1_600_000_000 + n + 0.25)
  }
}

function only(tree: Map<string, string>, takes: (path: string) => boolean): Map<string, string> {
  return new Map([...tree].filter(([path]) => takes(path)))
}

const fourTargets = {
  everything: '',
  packed: "select: { include: ['**/*.gz'] }",
  little: 'select: { max-size: 4KiB }',
  lean: "select: { exclude: ['copyright'] }",
}

describe('run --until-idle', () => {
  test('each target ends up with exactly what its selector says, with content and times', async () => {
    const bench = aBench(fourTargets)
    fillInbox(bench, 800)
    const source = treeOf(bench.inbox)

    const run = await fanfold(bench, 'run', '--until-idle')

    expect(run.code, run.stderr).toBe(0)
    expect(treeOf(bench.copies('everything'))).toEqual(source)
    expect(treeOf(bench.copies('packed'))).toEqual(only(source, (path) => path.endsWith('.gz')))
    expect(treeOf(bench.copies('lean'))).toEqual(only(source, (path) => !path.split('/').includes('copyright')))
    const isLittle = (path: string): boolean => statSync(join(bench.inbox, path)).size <= 4096
    expect(treeOf(bench.copies('little'))).toEqual(only(source, isLittle))
    for (const name of Object.keys(fourTargets)) {
      expect(readdirSync(bench.copies(name)).filter((entry) => entry.startsWith('.fanfold'))).toEqual([])
    }
  })

  test('a second run sends nothing', async () => {
    const bench = aBench(fourTargets)
    fillInbox(bench, 300)
    await fanfold(bench, 'run', '--until-idle')
    const linesBefore = historyCount(bench)

    const second = await fanfold(bench, 'run', '--until-idle')

    expect(second.code, second.stderr).toBe(0)
    expect(historyCount(bench)).toBe(linesBefore)
  })

  test('F12, F115: touch and chmod send no content', async () => {
    const bench = aBench({ nas: '' })
    writeFileSync(join(bench.inbox, 'a'), 'content')
    utimesSync(join(bench.inbox, 'a'), 1_600_000_000, 1_600_000_000)
    await fanfold(bench, 'run', '--until-idle')
    const inode = statSync(join(bench.copies('nas'), 'a')).ino
    utimesSync(join(bench.inbox, 'a'), 1_600_000_777, 1_600_000_777)

    const second = await fanfold(bench, 'run', '--until-idle')

    expect(second.code, second.stderr).toBe(0)
    expect(statSync(join(bench.copies('nas'), 'a')).ino).toBe(inode)
    expect(statSync(join(bench.copies('nas'), 'a')).mtimeMs).toBe(1_600_000_777_000)
  })

  test('F98: a target added later gets everything that is there', async () => {
    const bench = aBench({ nas: '' })
    fillInbox(bench, 100)
    await fanfold(bench, 'run', '--until-idle')
    const wider = aBench({ nas: '', late: '' })

    const config = readFileSync(wider.config, 'utf8').replaceAll('./', `${bench.folder}/`)
    writeFileSync(bench.config, config)
    const second = await fanfold(bench, 'run', '--until-idle')

    expect(second.code, second.stderr).toBe(0)
    expect(treeOf(bench.copies('late'))).toEqual(treeOf(bench.inbox))
  })
})

function historyCount(bench: Bench): number {
  const journal = new Database(join(bench.folder, 'state', 'journal.sqlite'), { readonly: true })
  const count = Number(journal.prepare('SELECT count(*) FROM history').pluck().get())
  journal.close()
  return count
}

describe('run', () => {
  test('a file that is written while it runs is at every target that selects it, and a removed one stays there', async () => {
    const bench = aBench({ nas: '', texts: "select: { include: ['*.txt'] }" })
    const daemon = await startDaemon(bench)
    await daemon.until((status) => status.sources.every(({ state }) => state === 'watching'))

    writeFileSync(join(bench.inbox, 'letter.txt'), 'Dear all')
    writeFileSync(join(bench.inbox, 'scan.pdf'), '%PDF')
    await daemon.until((status) => targetOf(status, 'nas').delivered === 2 && targetOf(status, 'texts').delivered === 1)

    expect(treeOf(bench.copies('nas'))).toEqual(treeOf(bench.inbox))
    expect([...treeOf(bench.copies('texts')).keys()]).toEqual(['letter.txt'])
    const healthy = await daemon.until(isAtRest)
    expect(healthy.healthy).toBe(true)
  })

  test('A18: a TERM while its threads still come up ends it in order', async () => {
    const bench = aBench(fourTargets)
    for (let round = 0; round < 3; round++) {
      const daemon = await startDaemon(bench)
      expect(await daemon.end('SIGTERM'), daemon.log()).toBe(0)
    }
  })

  test('F104: it leaves no picture of its memory behind when it breaks', async () => {
    const daemon = await startDaemon(aBench(fourTargets))

    expect(readFileSync(`/proc/${daemon.pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m)
  })

  test('TERM drains and ends with 0', async () => {
    const bench = aBench({ nas: '' })
    const daemon = await startDaemon(bench)

    const code = await daemon.end('SIGTERM')

    expect(code).toBe(0)
    expect(readdirSync(join(bench.folder, 'state')).sort()).toEqual([
      'fanfold.lock',
      'instance.json',
      'journal.sqlite',
      'rescan-mark',
    ])
  })
})

test('F49: a file that got a second name while it waited goes on under both, without a scan', async () => {
  const bench = aBench({ nas: '' })
  const daemon = await startDaemon(bench)
  await fanfold(bench, 'pause', 'nas')
  writeFileSync(join(bench.inbox, 'one'), 'content')
  await daemon.until(({ targets }) => targets[0]?.waiting === 1)

  // It changes the file's own change time, of which no event tells.
  linkSync(join(bench.inbox, 'one'), join(bench.inbox, 'other'))
  await daemon.until(({ targets }) => targets[0]?.waiting === 2)
  await fanfold(bench, 'resume', 'nas')
  await daemon.until(({ targets }) => targets[0]?.delivered === 2 && targets[0].waiting === 0, 15_000)

  expect(readFileSync(join(bench.copies('nas'), 'one'), 'utf8')).toBe('content')
})
