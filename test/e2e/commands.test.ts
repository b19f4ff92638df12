import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { treeOf } from '../tree.ts'
import { aBench, fanfold, program, startDaemon, targetOf, type Bench } from './rig.ts'

async function archived(files = 6): Promise<Bench> {
  const bench = aBench({ nas: '', stick: "select: { include: ['*.pdf'] }" })
  for (let n = 0; n < files; n++)
    writeFileSync(join(bench.inbox, `f${n}.${n % 2 === 0 ? 'pdf' : 'txt'}`), `content ${n}`)
  await fanfold(bench, 'run', '--until-idle')
  return bench
}

function sentLines(history: string): string[] {
  return history.split('\n').filter((line) => line.includes('"sent:'))
}

describe('resync', () => {
  test('finds what is missing and what was changed at a target, and sends only that', async () => {
    const bench = await archived()
    rmSync(join(bench.copies('nas'), 'f0.pdf'))
    writeFileSync(join(bench.copies('nas'), 'f1.txt'), 'spoiled by hand')
    const before = await fanfold(bench, 'history', '--json', '--limit', '1000')
    const daemon = await startDaemon(bench)

    const resync = await fanfold(bench, 'resync', 'nas', '--wait')
    await daemon.end('SIGTERM')

    const after = await fanfold(bench, 'history', '--json', '--limit', '1000')
    expect(resync.code, resync.stderr + resync.stdout).toBe(0)
    expect(treeOf(bench.copies('nas'))).toEqual(treeOf(bench.inbox))
    expect(sentLines(after.stdout).length - sentLines(before.stdout).length).toBe(2)
  })

  test('--verify finds a copy that rotted without a trace in its times', async () => {
    const bench = await archived()
    const copy = join(bench.copies('nas'), 'f0.pdf')
    const { atime, mtime } = statSync(copy)
    const bytes = readFileSync(copy)
    bytes[0] = (bytes[0] ?? 0) ^ 1
    writeFileSync(copy, bytes)
    utimesSync(copy, atime, mtime)
    const daemon = await startDaemon(bench)

    const resync = await fanfold(bench, 'resync', '--verify', '--wait')
    await daemon.end('SIGTERM')

    expect(resync.code, resync.stderr).toBe(0)
    expect(treeOf(bench.copies('nas'))).toEqual(treeOf(bench.inbox))
  })

  test('deletes nothing and sends nothing where all is well, without a daemon at the next start', async () => {
    const bench = await archived()
    mkdirSync(join(bench.copies('nas'), 'of somebody else'))
    writeFileSync(join(bench.copies('nas'), 'of somebody else', 'x'), 'x')
    const before = await fanfold(bench, 'history', '--json', '--limit', '1000')

    const resync = await fanfold(bench, 'resync', '--json')
    const run = await fanfold(bench, 'run', '--until-idle')

    const after = await fanfold(bench, 'history', '--json', '--limit', '1000')
    expect([resync.code, run.code]).toEqual([0, 0])
    expect(sentLines(after.stdout)).toEqual(sentLines(before.stdout))
    expect(readFileSync(join(bench.copies('nas'), 'of somebody else', 'x'), 'utf8')).toBe('x')
  })

  test('--path and --source look at that part only', async () => {
    const bench = await archived()
    rmSync(join(bench.copies('nas'), 'f0.pdf'))
    rmSync(join(bench.copies('nas'), 'f1.txt'))
    await fanfold(bench, 'resync', 'nas', '--source', 'inbox', '--path', '*.pdf')

    await fanfold(bench, 'run', '--until-idle')

    expect([...treeOf(bench.copies('nas')).keys()].sort()).toEqual(['f0.pdf', 'f2.pdf', 'f3.txt', 'f4.pdf', 'f5.txt'])
  })

  test('a name that does not exist is told with those that do', async () => {
    const bench = await archived(1)

    const resync = await fanfold(bench, 'resync', 'nass')

    expect(resync.code).toBe(2)
    expect(resync.stderr).toMatch(/nass.*nas, stick/s)
  })

  test('--wait without a daemon says that there is nothing to wait for, retry that nothing was to be tried, history that a path is unknown', async () => {
    const bench = await archived(1)

    const wait = await fanfold(bench, 'resync', '--wait')
    const retry = await fanfold(bench, 'retry')
    const history = await fanfold(bench, 'history', 'f0.pfd')

    expect([wait.code, retry.code, history.code]).toEqual([1, 0, 0])
    expect(wait.stderr).toContain('nothing can be waited for')
    expect([retry.stdout, retry.stderr]).toEqual(['0 deliveries are due again\n', ''])
    expect(history.stdout).toContain('nothing is known of f0.pfd')
  })
})

describe('why, history, status, retry', () => {
  test('why says per target where a file is and which rule kept it out', async () => {
    const bench = await archived()

    const why = await fanfold(bench, 'why', join(bench.inbox, 'f1.txt'), '--json')

    const [verdict] = JSON.parse(why.stdout) as {
      targets: { target: string; state: string; reason: string; at: string | null }[]
    }[]
    expect(why.code).toBe(0)
    expect(verdict?.targets).toMatchObject([
      { target: 'nas', state: 'delivered', at: 'f1.txt' },
      { target: 'stick', state: 'not-selected', reason: expect.stringContaining('*.pdf') as string },
    ])
  })

  test('why names the rule that ignores a file', async () => {
    const bench = aBench({ nas: '' }, "settle: 200ms\nignore: ['*.bak']")
    writeFileSync(join(bench.inbox, 'a.bak'), 'x')
    const daemon = await startDaemon(bench)
    await daemon.until((status) => status.sources.every(({ state }) => state === 'watching'))

    const why = await fanfold(bench, 'why', 'a.bak')

    expect(why.stdout).toMatch(/ignored.*\*\.bak.*configuration/s)
  })

  test('history tells what happened to a path, newest last on the screen or first in JSON', async () => {
    const bench = await archived(1)
    appendFileSync(join(bench.inbox, 'f0.pdf'), ' and more')
    await fanfold(bench, 'run', '--until-idle')

    const history = await fanfold(bench, 'history', 'f0.pdf', '--json')

    const events = (JSON.parse(history.stdout) as { event: string }[]).map(({ event }) => event)
    expect(events.sort()).toEqual(['delivered', 'delivered', 'delivered', 'delivered', 'put', 'put'])
  })

  test('status --json has the fields that scripts rely on, and its exit code is the verdict', async () => {
    const bench = await archived(2)
    const daemon = await startDaemon(bench)
    await daemon.until((status) => status.healthy)

    const status = await fanfold(bench, 'status', '--json')
    await daemon.end('SIGTERM')
    const stopped = await fanfold(bench, 'status', '--json')

    expect([status.code, stopped.code]).toEqual([0, 1])
    expect(JSON.parse(status.stdout)).toMatchObject({
      healthy: true,
      oldestMs: null,
      sources: [{ name: 'inbox', state: 'watching', files: 2, watched: 1 }],
      targets: [
        {
          name: 'nas',
          kind: 'directory',
          state: 'running',
          waiting: 0,
          active: 0,
          delivered: 2,
          parked: 0,
          bytesWaiting: 0,
          oldestMs: null,
          reason: null,
        },
        { name: 'stick', delivered: 1 },
      ],
    })
  })

  test('retry brings parked work back once its cause is gone', async () => {
    const bench = await archived(1)
    const inTheWay = join(bench.copies('nas'), 'new.txt')
    mkdirSync(inTheWay)
    chmodSync(inTheWay, 0o755)
    const daemon = await startDaemon(bench)
    await daemon.until((status) => status.sources.every(({ state }) => state === 'watching'))
    writeFileSync(join(bench.inbox, 'new.txt'), 'new')
    const parked = targetOf(await daemon.until((status) => targetOf(status, 'nas').parked === 1), 'nas')

    rmSync(inTheWay, { recursive: true })
    const retry = await fanfold(bench, 'retry', 'nas')
    await daemon.until((status) => targetOf(status, 'nas').parked === 0 && targetOf(status, 'nas').delivered === 2)

    expect(parked.reason).toContain('new.txt')
    expect(retry.code).toBe(0)
    expect(readFileSync(inTheWay, 'utf8')).toBe('new')
  })
})

test('FANFOLD_DEBUG=stage shows what the stages do, and only then', async () => {
  const bench = aBench({ nas: '' })
  writeFileSync(join(bench.inbox, 'a'), 'a')
  const words = [program, 'run', '--until-idle', '--config', bench.config]

  const traced = await promisify(execFile)(process.execPath, words, { env: { ...process.env, FANFOLD_DEBUG: 'stage' } })
  const silent = await promisify(execFile)(process.execPath, words)

  expect(traced.stderr).toMatch(/"room":"stage".*"stage":"spool nas".*"msg":"demanded"/)
  expect(silent.stderr).not.toContain('"room":"stage"')
})

test('what is printed reaches a reader that takes its time, to the last line', async () => {
  const bench = aBench({ nas: "select: { include: ['nothing'] }" })
  for (let n = 0; n < 1_000; n++) writeFileSync(join(bench.inbox, `a-file-with-a-long-name-${n}`), '')
  await fanfold(bench, 'run', '--until-idle')

  const piped = `'${process.execPath}' '${program}' history --json --limit 10000 --config '${bench.config}' | { sleep 1; cat; }`
  const { stdout } = await promisify(execFile)('sh', ['-c', piped], { maxBuffer: 2 ** 24 })

  expect(JSON.parse(stdout)).toBeInstanceOf(Array)
  expect(stdout.length).toBeGreaterThan(100_000)
})
