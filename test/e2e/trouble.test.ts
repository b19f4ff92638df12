import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { canMount, readOnlyDisk, smallDisk } from '../disk.ts'
import { treeOf } from '../tree.ts'
import { aBench, fanfold, isAtRest, startDaemon, targetOf, type Bench, type RunningDaemon } from './rig.ts'

const both = { sound: '', ill: '' }

async function watching(bench: Bench): Promise<RunningDaemon> {
  const daemon = await startDaemon(bench)
  await daemon.until((status) => status.sources.every(({ state }) => state === 'watching'))
  return daemon
}

function dropFiles(bench: Bench, prefix: string, count: number, bytes: number): void {
  for (let n = 0; n < count; n++) writeFileSync(join(bench.inbox, `${prefix}${n}`), Buffer.alloc(bytes, n + 1))
}

describe('one target in trouble', () => {
  test('missing: the other finishes, the state says so, and the lane empties by itself when the folder is back', async () => {
    const bench = aBench(both)
    dropFiles(bench, 'before', 3, 100)
    const daemon = await watching(bench)
    await daemon.until((status) => targetOf(status, 'ill').delivered === 3)

    renameSync(bench.copies('ill'), join(bench.folder, 'unplugged'))
    dropFiles(bench, 'after', 5, 100)
    await daemon.until((status) => targetOf(status, 'sound').delivered === 8)
    const ill = targetOf(await daemon.until((status) => targetOf(status, 'ill').state === 'missing'), 'ill')
    const why = await fanfold(bench, 'why', 'after0')
    renameSync(join(bench.folder, 'unplugged'), bench.copies('ill'))
    const healed = await daemon.until((status) => targetOf(status, 'ill').delivered === 8, 40_000)

    expect(ill.reason).toContain(bench.copies('ill'))
    expect(ill.waiting).toBe(5)
    expect(why.stdout).toMatch(/ill +waiting .*; the target is missing: /)
    expect(targetOf(healed, 'ill')).toMatchObject({ state: 'running', waiting: 0, parked: 0 })
    expect(treeOf(bench.copies('ill'))).toEqual(treeOf(bench.inbox))
  }, 60_000)

  test('emptied and made anew by its owner: it gets everything again', async () => {
    const bench = aBench(both)
    dropFiles(bench, 'f', 4, 100)
    const daemon = await watching(bench)
    await daemon.until((status) => targetOf(status, 'ill').delivered === 4)
    await daemon.end('SIGTERM')

    rmSync(bench.copies('ill'), { recursive: true })
    mkdirSync(`${bench.copies('ill')}.other`)
    mkdirSync(bench.copies('ill'))
    const again = await startDaemon(bench)
    await again.until((status) => targetOf(status, 'ill').state === 'running' && isAtRest(status))
    await again.end('SIGTERM')

    expect(treeOf(bench.copies('ill'))).toEqual(treeOf(bench.inbox))
  })

  test.skipIf(!canMount)(
    'full: the other finishes, and the lane empties by itself when there is room',
    async () => {
      const bench = aBench(both)
      mkdirSync(bench.copies('ill'), { recursive: true })
      const disk = smallDisk(bench.copies('ill'), 3)
      dropFiles(bench, 'f', 6, 1_000_000)
      const daemon = await watching(bench)

      const full = await daemon.until(
        (status) => targetOf(status, 'ill').state === 'full' && targetOf(status, 'sound').delivered === 6,
      )
      disk.growTo(32)
      await daemon.until((status) => targetOf(status, 'ill').delivered === 6, 40_000)
      await daemon.end('SIGTERM')

      expect(targetOf(full, 'ill').reason).toMatch(/no space left|MiB/)
      expect(targetOf(full, 'ill').parked).toBe(0)
      expect(full.healthy).toBe(false)
      expect(treeOf(bench.copies('ill'))).toEqual(treeOf(bench.inbox))
    },
    60_000,
  )

  test.skipIf(!canMount)(
    'read-only: the other finishes, and the lane empties by itself when it can be written',
    async () => {
      const bench = aBench(both)
      mkdirSync(bench.copies('ill'), { recursive: true })
      const disk = readOnlyDisk(bench.copies('ill'))
      dropFiles(bench, 'f', 5, 100)
      const daemon = await watching(bench)

      const ill = await daemon.until(
        (status) => targetOf(status, 'ill').state === 'read-only' && targetOf(status, 'sound').delivered === 5,
      )
      disk.heal()
      await daemon.until((status) => targetOf(status, 'ill').delivered === 5, 40_000)
      await daemon.end('SIGTERM')

      expect(targetOf(ill, 'ill').reason).toContain(bench.copies('ill'))
      expect(treeOf(bench.copies('ill'))).toEqual(treeOf(bench.inbox))
    },
    60_000,
  )
})
