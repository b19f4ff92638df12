/** Whether the copies are really there: `verify` and `resync` of many files against every kind of target, with a daemon and without. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { VerifyEvent } from '../../src/control/control.ts'
import { kindBenches, type KindBench } from './each-kind.ts'
import { aCloudBench } from './dropbox-bench.ts'
import { aBench, fanfold, isAtRest, program, startDaemon, targetOf, type Bench } from './rig.ts'

const files = 240
const folders = 3

function dropFiles(bench: Bench): void {
  for (let n = 0; n < files; n++) {
    const folder = join(bench.inbox, `d${n % folders}`)
    if (n < folders) mkdirSync(folder)
    writeFileSync(join(folder, `f${n}`), `content ${n}`)
  }
}

function tamper(bench: KindBench): void {
  bench.remove('d0/f0')
  bench.write('d1/f1', 'spoiled by hand')
  bench.rename('d2/f2', 'renamed')
  bench.write('d0/stranger', 'x')
}

/** Every copy that was tampered with is its file again. */
async function healed(bench: KindBench): Promise<void> {
  const isHealed = (n: number): void =>
    expect(bench.read(`d${n}/f${n}`)).toBe(readFileSync(join(bench.inbox, `d${n}/f${n}`), 'utf8'))
  await vi.waitFor(() => [0, 1, 2].forEach(isHealed), 30_000)
}

async function verified(bench: Bench, ...words: string[]): Promise<{ code: number | null; found: string[] }> {
  const { code, stdout, stderr } = await fanfold(bench, 'verify', 'cloud', '--json', ...words)
  const lines = stdout.split('\n').filter((line) => line !== '')
  const events = lines.map((line) => JSON.parse(line) as VerifyEvent)
  expect(events.at(-1)?.kind, stderr + stdout.slice(-500)).toBe('done')
  const found = events.flatMap((event) =>
    event.kind === 'difference' ? [`${event.difference.kind} ${event.difference.at}`] : [],
  )
  return { code, found: found.sort() }
}

const tampered = ['different d1/f1', 'extra d0/stranger', 'missing d0/f0', 'renamed d2/f2']

test.each(Object.keys(kindBenches))(
  'F80, F87: at %s verify names exactly what was tampered with, a repair and a resync send exactly that, by pages and not by files',
  async (kind) => {
    const bench = await kindBenches[kind]?.()
    if (bench === undefined) throw new Error(kind)
    dropFiles(bench)
    const daemon = await startDaemon(bench)
    const atRest = async (): Promise<number> =>
      targetOf(
        await daemon.until((status) => isAtRest(status) && targetOf(status, 'cloud').delivered === files, 60_000),
        'cloud',
      ).bytesSent
    const sentFirst = await atRest()
    tamper(bench)
    const before = bench.requests()

    const repaired = await verified(bench, '--repair')
    expect(repaired).toEqual({ code: 1, found: tampered })
    await healed(bench)
    const sentByRepair = (await atRest()) - sentFirst
    bench.remove('d0/stranger')
    const requestsOfRepair = bench.requests() - before
    const clean = await verified(bench)
    tamper(bench)
    const dry = await fanfold(bench, 'resync', '--dry-run', '--json')
    const beforeResync = bench.requests()
    const resync = await fanfold(bench, 'resync', '--wait')
    await healed(bench)
    const sentByResync = (await atRest()) - sentFirst - sentByRepair
    const requestsOfResync = bench.requests() - beforeResync
    await daemon.end('SIGTERM')
    const offline = await verified(bench)

    const size = 'content 0'.length
    // What was renamed is moved back.
    expect(sentByRepair).toBe(2 * size)
    expect(clean).toEqual({ code: 0, found: [] })
    expect(JSON.parse(dry.stdout)).toMatchObject({ wouldSend: [{ target: 'cloud', files: 3, bytes: 3 * size }] })
    expect(resync.code, resync.stderr).toBe(0)
    expect(sentByResync).toBe(3 * size)
    expect(requestsOfRepair).toBeLessThan(50)
    expect(requestsOfResync).toBeLessThan(40)
    expect(offline).toEqual({ code: 1, found: ['extra d0/stranger', 'extra d2/renamed'] })
  },
  120_000,
)

test('F87: killed in the middle of a listing, a resync begins anew with the next start, and a verify leaves nothing behind', async () => {
  const bench = await aCloudBench()
  bench.login()
  dropFiles(bench)
  expect((await fanfold(bench, 'run', '--until-idle')).code).toBe(0)
  const { emulator } = bench.rig
  emulator.provider.owner.remove('/Archive/d0/f0')
  emulator.fault({ route: 'files/list_folder', count: 'all', fault: { do: 'stall', of: 'answer' } })
  const daemon = await startDaemon(bench)
  await fanfold(bench, 'resync')
  await daemon.until((status) => targetOf(status, 'cloud').listing !== null)

  await daemon.end('SIGKILL')
  const before = emulator.recorder.count('files/list_folder')
  const verify = spawn(process.execPath, [program, 'verify', '--config', bench.config], { stdio: 'ignore' })
  await vi.waitFor(() => expect(emulator.recorder.count('files/list_folder')).toBeGreaterThan(before), 30_000)
  verify.kill('SIGKILL')
  await once(verify, 'close')
  emulator.faults.disarmAll()
  const left = readdirSync(join(bench.folder, 'state'))
  const again = await startDaemon(bench)
  await again.until((status) => isAtRest(status) && bench.held('d0/f0') !== undefined)
  const verified = await fanfold(bench, 'verify')

  expect(left.filter((name) => name.includes('listing'))).toEqual([])
  expect(verified.code, verified.stdout + verified.stderr).toBe(0)
}, 60_000)

function widest(text: string): number {
  return Math.max(...text.split('\n').map((line) => line.length))
}

describe('verify', () => {
  async function archived(): Promise<Bench> {
    const bench = aBench({ cloud: '' })
    for (const name of ['a', 'b']) writeFileSync(join(bench.inbox, name), `content of ${name}`)
    await fanfold(bench, 'run', '--until-idle')
    return bench
  }

  test('--download finds what rotted without a trace in its marks, and --repair without a daemon is done by the next start', async () => {
    const bench = await archived()
    const copy = join(bench.copies('cloud'), 'a')
    const { atime, mtime } = statSync(copy)
    writeFileSync(copy, 'CONTENT OF a')
    utimesSync(copy, atime, mtime)

    const found = await verified(bench, '--download', '--repair')
    const run = await fanfold(bench, 'run', '--until-idle')
    const healed = await verified(bench, '--download')

    expect(found).toEqual({ code: 1, found: ['different a'] })
    expect(run.code).toBe(0)
    expect(healed).toEqual({ code: 0, found: [] })
    expect(readFileSync(copy, 'utf8')).toBe('content of a')
  })

  test('tells for people what it found and what to do, and what a target that is not there cannot tell', async () => {
    const bench = await archived()
    const noMatch = await fanfold(bench, 'verify', '--path', 'inbox/*')
    rmSync(join(bench.copies('cloud'), 'a'))

    const found = await fanfold(bench, 'verify')
    rmSync(bench.copies('cloud'), { recursive: true })
    const gone = await fanfold(bench, 'verify')
    const wrong = await fanfold(bench, 'verify', 'clout')

    expect(found.stdout).toMatch(/missing +cloud: a \(inbox: a\) +nothing is there\nTARGET +COMPARED[^]*cloud +2 +1/)
    expect(found.stderr).toContain('--repair sends again what is missing or different')
    expect(widest(found.stdout), 'it fits on a screen').toBeLessThanOrEqual(80)
    expect([noMatch.code, found.code, gone.code, wrong.code]).toEqual([1, 1, 1, 2])
    expect(noMatch.stderr).toContain('nothing was compared: no file at a target matches "inbox/*"')
    expect(gone.stderr).toContain('cloud was not compared')
    expect(wrong.stderr).toContain('no target is named "clout"; there are: cloud')
  })
})
