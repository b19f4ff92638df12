import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { canMount, smallDisk } from '../disk.ts'
import { aBench, fanfold, isAtRest, startDaemon, targetOf } from './rig.ts'

const trashing = 'on-remove: trash\nremove-after: 0s'

test('F36: a removed file goes to the trash where its target says so, also one that went while no daemon ran', async () => {
  const bench = aBench({ nas: trashing, usb: '' })
  for (const name of ['a.txt', 'b.txt', 'c.txt']) writeFileSync(join(bench.inbox, name), name)
  const first = await startDaemon(bench)
  await first.until(({ targets }) => targets.every(({ delivered }) => delivered === 3))

  rmSync(join(bench.inbox, 'a.txt'))
  await first.until(({ targets }) => targets[0]?.delivered === 2)
  await first.end('SIGTERM')
  rmSync(join(bench.inbox, 'b.txt'))
  const second = await startDaemon(bench)
  const status = await second.until(({ targets }) => targets[0]?.delivered === 1)

  const day = new Date().toISOString().slice(0, 10)
  for (const name of ['a.txt', 'b.txt']) {
    expect(existsSync(join(bench.copies('nas'), name))).toBe(false)
    expect(existsSync(join(bench.copies('nas'), '.fanfold-trash', day, name))).toBe(true)
    expect(existsSync(join(bench.copies('usb'), name))).toBe(true)
  }
  expect(status.targets[1]).toMatchObject({ delivered: 3, leaving: 0 })
  expect((await fanfold(bench, 'history', 'b.txt')).stdout).toContain('b.txt went to the trash')
})

test('F37: a folder of many files that is emptied by mistake costs no copy before approve', async () => {
  const bench = aBench({ nas: trashing.replace('0s', '1s') })
  const folder = join(bench.inbox, 'scans')
  mkdirSync(folder)
  for (let count = 0; count < 80; count++) writeFileSync(join(folder, `${count}.pdf`), String(count))
  const daemon = await startDaemon(bench)
  await daemon.until(({ targets }) => targets[0]?.delivered === 80)

  rmSync(folder, { recursive: true })
  const held = await daemon.until(({ targets }) => targets[0]?.parked === 80)
  const unknown = await fanfold(bench, 'approve', 'nowhere')
  const approved = await fanfold(bench, 'approve', 'inbox')
  await daemon.until(({ targets }) => targets[0]?.delivered === 0)

  expect(held).toMatchObject({ healthy: false, sources: [{ removalsHeld: true }] })
  expect(held.reasons.join()).toContain('fanfold approve inbox')
  expect(unknown).toMatchObject({ code: 2 })
  expect(approved).toMatchObject({ code: 0, stdout: expect.stringContaining('80 copies follow') as string })
  expect((await daemon.status()).reasons).toEqual([])
})

test.runIf(canMount)(
  'F11: a disk inside a source that is not mounted at the start costs no copy before approve, with the daemon and without it',
  async () => {
    const bench = aBench({ nas: trashing })
    const places = ['disk', 'stick'].map((name) => join(bench.inbox, name))
    const disks = places.map((place) => {
      mkdirSync(place)
      const disk = smallDisk(place, 1)
      writeFileSync(join(place, 'a.txt'), place)
      return disk
    })
    writeFileSync(join(bench.inbox, 'near.txt'), 'near')
    const first = await startDaemon(bench)
    await first.until(({ targets }) => targets[0]?.delivered === 3)
    await first.end('SIGTERM')
    disks[0]?.remove()

    const offline = await fanfold(bench, 'approve', 'inbox')
    const again = await fanfold(bench, 'approve', 'inbox')
    disks[1]?.remove()
    const others = places.map((place) => smallDisk(place, 1))
    for (const place of places) writeFileSync(join(place, 'b.txt'), place)
    const second = await startDaemon(bench)
    // Emptied disks that are mounted: what was on them was removed.
    const isCopied = (path: string): boolean => existsSync(join(bench.copies('nas'), path))
    await second.until(
      (status) =>
        isAtRest(status) && targetOf(status, 'nas').leaving === 0 && isCopied('disk/b.txt') && isCopied('stick/b.txt'),
    )
    const isFollowed = !isCopied('disk/a.txt') && !isCopied('stick/a.txt')
    await second.end('SIGKILL')
    for (const disk of others) disk.remove()
    const third = await startDaemon(bench)
    const missed = await third.until(({ sources }) => sources[0]?.state === 'degraded')
    await fanfold(bench, 'resync', '--source', 'inbox', '--wait')
    const isKept = isCopied('disk/b.txt')
    const human = await fanfold(bench, 'status')
    const approved = await fanfold(bench, 'approve', 'inbox')
    const healthy = await third.until(
      (status) => status.healthy && isAtRest(status) && targetOf(status, 'nas').delivered === 1,
    )

    expect(isFollowed).toBe(true)
    expect(offline.stdout).toBe(`inbox: ${places[0]} is not waited for any more\n`)
    // The other one was mounted.
    expect(again.stdout).toBe('inbox: nothing was held back\n')
    expect(missed).toMatchObject({
      healthy: false,
      reasons: expect.arrayContaining(['source inbox is degraded']) as string[],
    })
    expect(human.stdout).toContain('not mounted: disk, stick;')
    expect(isKept).toBe(true)
    for (const place of places) expect(approved.stdout).toContain(`inbox: ${place} is not waited for any more`)
    expect(healthy.sources[0]).toMatchObject({ state: 'watching', reason: null })
    expect(isCopied('disk/b.txt')).toBe(false)
  },
  120_000,
)
