/** A journal that is lost, and copies that are at a cloud: they are found by pages of a listing and by what it tells of their content. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { kindBenches } from './each-kind.ts'
import { fanfold, isAtRest, startDaemon, targetOf, type Bench } from './rig.ts'

const files = 300
const folders = 3
const contentOf = (n: number): string => `content of ${String(n).padStart(4, '0')}`

function dropFiles(bench: Bench): void {
  for (let n = 0; n < files; n++) {
    const folder = join(bench.inbox, `d${n % folders}`)
    if (n < folders) mkdirSync(folder)
    writeFileSync(join(folder, `f${n}`), contentOf(n))
  }
  writeFileSync(join(bench.inbox, 'empty'), '')
}

function loseJournal(bench: Bench): void {
  for (const suffix of ['', '-wal', '-shm'])
    rmSync(join(bench.folder, 'state', `journal.sqlite${suffix}`), { force: true })
}

const clouds = Object.keys(kindBenches).filter((kind) => kind !== 'directory')

test.each(clouds)(
  'F87: the journal is lost, and what %s holds is known again by listing; sent is only what was changed or taken away there',
  async (kind) => {
    const bench = await kindBenches[kind]?.()
    if (bench === undefined) throw new Error(kind)
    dropFiles(bench)
    const first = await fanfold(bench, 'run', '--until-idle')
    expect(first.code, first.stderr).toBe(0)
    loseJournal(bench)
    bench.write('d0/f0', 'spoiled of 0000')
    bench.remove('d1/f1')
    const before = bench.requests()

    const daemon = await startDaemon(bench)
    const isDone = targetOf(
      await daemon.until((status) => isAtRest(status) && targetOf(status, 'cloud').delivered === files + 1, 60_000),
      'cloud',
    )
    const requests = bench.requests() - before
    const beforeVerify = bench.requests()
    const resync = await fanfold(bench, 'resync', '--verify', '--wait')
    const atEnd = targetOf(await daemon.until(isAtRest), 'cloud')
    const requestsOfVerify = bench.requests() - beforeVerify
    await daemon.end('SIGTERM')
    const verified = await fanfold(bench, 'verify')

    expect(isDone).toMatchObject({ bytesSent: contentOf(0).length * 2, parked: 0 })
    expect([bench.read('d0/f0'), bench.read('d1/f1')]).toEqual([contentOf(0), contentOf(1)])
    expect(requests, 'opening, listing, and what was sent').toBeLessThan(40)
    expect(resync.code, resync.stderr).toBe(0)
    expect(atEnd.bytesSent, 'nothing was sent again').toBe(isDone.bytesSent)
    expect(requestsOfVerify).toBeLessThan(20)
    expect(verified.code, verified.stdout).toBe(0)
  },
  120_000,
)
