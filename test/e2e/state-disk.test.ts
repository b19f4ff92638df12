import { mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Status } from '../../src/control/control.ts'
import { canMount, smallDisk } from '../disk.ts'
import { treeOf } from '../tree.ts'
import { aBench, fanfold, isAtRest, startDaemon, targetOf, type Bench } from './rig.ts'

/** A bench whose state directory is a file system of its own. */
function withStateDisk(sizeMib: number): { bench: Bench; state: string; disk: ReturnType<typeof smallDisk> } {
  const bench = aBench({ nas: '' })
  const state = join(bench.folder, 'state')
  mkdirSync(state)
  return { bench, state, disk: smallDisk(state, sizeMib) }
}

/** Takes all room that is left. */
function fill(folder: string): void {
  const file = join(folder, 'somebody-elses-file')
  for (let bytes = 2 ** 20; bytes >= 1; bytes = Math.floor(bytes / 4)) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(bytes), { flag: 'a' })
    } catch {
      // Full to within so many bytes.
    }
  }
  expect(statfsSync(folder).bavail).toBe(0)
}

const free = (folder: string): void => rmSync(join(folder, 'somebody-elses-file'), { force: true })
const isFull = ({ journal, healthy }: Status): boolean => journal.state === 'state-disk-full' && !healthy
const markOf = (state: string): string => readFileSync(join(state, 'rescan-mark'), 'latin1')[0] ?? ''

function dropFiles(bench: Bench, prefix: string, count: number): void {
  for (let n = 0; n < count; n++) {
    const folder = join(bench.inbox, `${prefix}-${n % 20}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `a file with a rather long name ${prefix} ${n}`), `${prefix} ${n}`)
  }
}

test.skipIf(!canMount)(
  'F84: the state disk fills under load: the daemon stays, says so, and is in step again soon after there is room',
  async () => {
    const { bench, state } = withStateDisk(24)
    dropFiles(bench, 'before', 200)
    const daemon = await startDaemon(bench)
    await daemon.until((status) => isAtRest(status) && targetOf(status, 'nas').delivered === 200)

    dropFiles(bench, 'during', 4_000)
    fill(state)
    dropFiles(bench, 'later', 4_000)
    const full = await daemon.until(isFull)
    await daemon.until(() => markOf(state) === '1')
    dropFiles(bench, 'last', 100)
    const stillFull = await daemon.until(isFull)
    free(state)
    const healed = await daemon.until(
      (status) => isAtRest(status) && targetOf(status, 'nas').delivered === 8_300,
      60_000,
    )
    await daemon.until(() => markOf(state) === '0')
    const code = await daemon.end('SIGTERM')

    expect(full.journal.reason).toMatch(/free|freed/)
    expect(stillFull.journal.reason).toContain(state)
    expect(healed.journal).toEqual({ state: 'open', reason: null })
    expect(daemon.log().match(/"msg":"state-disk-full"/g)).toHaveLength(1)
    expect(code).toBe(0)
    expect(treeOf(bench.copies('nas'))).toEqual(treeOf(bench.inbox))
  },
  120_000,
)

test.skipIf(!canMount)(
  'F84: ended while its state disk is full, it stops in order; started again, it goes on as soon as there is room',
  async () => {
    const { bench, state } = withStateDisk(24)
    dropFiles(bench, 'before', 50)
    const first = await startDaemon(bench)
    await first.until((status) => isAtRest(status) && targetOf(status, 'nas').delivered === 50)
    fill(state)
    await first.until(isFull)
    dropFiles(bench, 'during', 50)
    const code = await first.end('SIGTERM')
    const ended = await fanfold(bench, 'status')

    setTimeout(() => free(state), 3_000)
    const second = await startDaemon(bench)
    await second.until((status) => isAtRest(status) && targetOf(status, 'nas').delivered === 100, 30_000)
    await second.until(() => markOf(state) === '0')

    expect(code).toBe(0)
    expect(ended.code).toBe(1)
    expect(treeOf(bench.copies('nas'))).toEqual(treeOf(bench.inbox))
  },
  60_000,
)

test.skipIf(!canMount)(
  'F84: a first start on a full state disk waits for room and says what to do',
  async () => {
    const { bench, state } = withStateDisk(8)
    dropFiles(bench, 'before', 10)
    fill(state)

    setTimeout(() => free(state), 3_000)
    const daemon = await startDaemon(bench)
    await daemon.until((status) => isAtRest(status) && targetOf(status, 'nas').delivered === 10, 30_000)

    expect(daemon.log()).toMatch(/"msg":"state-disk-full"/)
    expect(daemon.log()).toContain('until space is freed')
  },
  60_000,
)
