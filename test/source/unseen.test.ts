/** What no event tells of: found all the same by looking, and never taken for a removal. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '../../src/base/clock.ts'
import { sourcePath } from '../../src/base/path.ts'
import { isDisk, mountsBelow } from '../../src/source/mount-table.ts'
import { blindMount, unwatchedReason, whyNoRoot } from '../../src/source/root.ts'
import { notMounted, type SourceState } from '../../src/source/source.ts'
import { aStartingWorld, aWorld, atRest, endWorlds, Ledger, tempFolder, until } from './world.ts'

afterEach(endWorlds)

const dayMs = 24 * 3_600_000

/** A wall clock that a test sets; the looks at the root, every 5 s, come every 200 ms. */
function aClock(aheadMs = 0): Clock & { aheadMs: number } {
  return {
    aheadMs,
    wallMs() {
      return systemClock.wallMs() + this.aheadMs
    },
    monotonicMs: () => systemClock.monotonicMs(),
    after: (delayMs, work) => systemClock.after(delayMs === 5_000 ? 200 : delayMs, work),
    sleep: (delayMs, signal) => systemClock.sleep(delayMs, signal),
  }
}

describe('a change without an event', () => {
  test('F9, F13: is found by the next comparison, and told as missed', async () => {
    const world = await aWorld({ rescanMs: 2_000, settleMs: 100 })
    writeFileSync(join(world.root, 'a'), 'one')
    await until(() => world.ledger.paths.length === 1)
    const outside = join(world.root, '../outside')
    linkSync(join(world.root, 'a'), outside)
    await atRest(world, 300)

    // As with stores into a mapped file, the folder's watch hears nothing of what is written under another name.
    writeFileSync(outside, 'other')
    await until(() => world.ledger.file('papers', sourcePath('a'))?.size === 5)
    await until(() => world.notes.length > 0)

    expect(world.notes).toMatchObject([{ event: 'missed', path: 'a', detail: '1 change raised no event' }])
  })

  test('F46: while the machine slept is found when it wakes', async () => {
    const clock = aClock()
    const world = await aWorld({ clock })
    writeFileSync(join(world.root, 'a'), 'one')
    await until(() => world.ledger.paths.length === 1)
    await atRest(world)
    const { lastScanMonotonicMs } = world.source.state()

    clock.aheadMs += 60_000
    await until(() => world.source.state().lastScanMonotonicMs !== lastScanMonotonicMs)
    await atRest(world)

    expect(world.ledger.lines).toEqual(['put a'])
    expect(world.source.state().state).toBe('watching')
  })
})

test.each([-dayMs, dayMs])(
  'F42, F45: with a wall clock set by %i ms, files are taken once each, and no more',
  async (aheadMs) => {
    const clock = aClock(aheadMs)
    const world = await aWorld({ clock, before: (root) => writeFileSync(join(root, 'old'), 'x') })

    writeFileSync(join(world.root, 'new'), 'x')
    await until(() => world.ledger.paths.length === 2)
    clock.aheadMs = -aheadMs
    writeFileSync(join(world.root, 'newer'), 'x')
    await until(() => world.ledger.paths.length === 3)
    await world.source.rescan('test')
    await atRest(world, 500)

    expect(world.ledger.lines.sort()).toEqual(['put new', 'put newer', 'put old'])
  },
)

test('F59: a sparse file is as large as it says, and looking at it fills no hole', async () => {
  const world = await aWorld()
  const fd = openSync(join(world.root, 'sparse'), 'w')
  ftruncateSync(fd, 2 ** 33)
  closeSync(fd)

  await until(() => world.ledger.paths.length === 1)

  expect(world.ledger.file('papers', sourcePath('sparse'))?.size).toBe(2 ** 33)
  expect(statSync(join(world.root, 'sparse')).blocks).toBe(0)
})

describe('F7: a limit that is reached', () => {
  test('is told with what is in use, what may be, and the setting to raise', () => {
    const limit = Math.min(
      ...['fs/inotify/max_user_watches', 'user/max_inotify_watches'].map((name) =>
        Number(readFileSync(`/proc/sys/${name}`, 'latin1')),
      ),
    )

    const reason = unwatchedReason('ENOSPC', 30, 512)

    expect(reason).toMatch(/^30 folders are not watched but polled: 512 watches are in use here and the limit is /)
    expect(reason).toContain(`${limit}; raise `)
    expect(reason).toMatch(/raise (fs\.inotify\.max_user_watches|user\.max_inotify_watches)$/)
  })
})

describe('F11: the root of a disk', () => {
  const identity = { path: '/media/disk', device: 1n, inode: 2n }
  const found = { kind: 'folder', identity, fsType: 0xef53, isMount: true, mark: '2:3' } as const
  const other = { ...identity, device: 5n }
  const disk = { folder: '', mark: '2:3' }
  const markless = { folder: '', mark: undefined }
  const another = 'is on another file system than before'

  test.each([
    ['is the same one', { device: 1n, disk }, {}, undefined],
    ['is the same one under another device number', { device: 1n, disk }, { identity: other }, undefined],
    ['is the same one after a start', { device: undefined, disk }, { identity: other }, undefined],
    ['is another one by its mark, under the same device number', { device: 1n, disk }, { mark: '2:4' }, another],
    ['is another one after a start', { device: undefined, disk }, { mark: '2:4' }, another],
    ['is another one when that has no mark', { device: undefined, disk }, { mark: undefined }, another],
    ['has no mark, and another number', { device: 1n, disk: markless }, { identity: other, mark: undefined }, another],
    ['has no mark, and nobody knows after a start', { device: undefined, disk: markless }, {}, undefined],
    ['is missed where nothing is mounted', { device: 1n, disk }, { isMount: false }, another],
    ['is not taken for the folder that was there', { device: 1n, disk: undefined }, { identity: other }, another],
  ])('%s', (_, before, change, expected) => {
    const reason = whyNoRoot('papers', identity.path, { ...found, ...change }, before)

    if (expected === undefined) expect(reason).toBeUndefined()
    else expect(reason).toContain(expected)
  })
})

describe.runIf(process.getuid?.() === 0)('F14: a file system that is mounted inside of a source', () => {
  function mounted(root: string): string {
    const place = join(root, 'disk')
    mkdirSync(place)
    execFileSync('mount', ['-t', 'tmpfs', 'none', place])
    unmountings.set(place, () => {
      unmountings.delete(place)
      execFileSync('umount', [place])
    })
    return place
  }
  const unmountings = new Map<string, () => void>()
  afterEach(() => {
    // The world that looks into it is ended behind this.
    for (const place of unmountings.keys()) spawnSync('umount', ['--lazy', place])
    unmountings.clear()
  })

  test('is watched as well; unmounted, nothing in it counts as removed', async () => {
    const world = await aWorld({ before: mounted })
    const place = join(world.root, 'disk')
    writeFileSync(join(place, 'a'), 'x')
    writeFileSync(join(place, 'b'), 'x')
    unlinkSync(join(place, 'b'))
    await until(() => world.ledger.paths.join() === 'disk/a')
    await atRest(world, 500)

    unmountings.get(place)?.()
    await until(() => world.notes.some(({ event }) => event === 'unmounted'))
    await world.source.rescan('test')
    await atRest(world, 500)

    expect(world.ledger.paths).toEqual(['disk/a'])
  })

  test('is left out where one file system is asked for: not watched, not scanned, and what was taken of it before stays', async () => {
    const world = await aWorld({ before: mounted })
    const inside = join(world.root, 'disk')
    writeFileSync(join(inside, 'a'), 'x')
    await until(() => world.ledger.paths.join() === 'disk/a')
    await world.stop()

    const again = await aWorld({ path: world.root, ledger: world.ledger, oneFileSystem: true })
    mkdirSync(join(inside, 'deep'))
    writeFileSync(join(inside, 'deep/b'), 'x')
    writeFileSync(join(world.root, 'c'), 'x')
    await until(() => again.ledger.paths.includes('c'))
    await again.source.rescan('test')
    await atRest(again, 500)

    const state = again.source.state()
    const told = again.notes.filter(({ event }) => event === 'mounted')
    unmountings.get(inside)?.()

    expect(again.ledger.lines).toEqual(['put disk/a', 'put c'])
    expect(state).toMatchObject({ state: 'watching', watched: 1 })
    expect(state.skipped.get('mount')).toBe(1)
    const detail = 'tmpfs is mounted there; it is left out, since one-file-system is set'
    expect(told).toEqual([{ source: 'papers', event: 'mounted', path: 'disk', detail }])
  })

  test('F11: is missed after a restart without it, be its folder empty or absent, and given up by approve only', async () => {
    const world = await aWorld({ before: mounted, settleMs: 100, clock: aClock() })
    const place = join(world.root, 'disk')
    mkdirSync(join(place, 'deep'))
    writeFileSync(join(place, 'deep/a'), 'x')
    writeFileSync(join(world.root, 'near'), 'x')
    await until(() => world.ledger.paths.join() === 'disk/deep/a,near')

    const second = await world.restart(unmountings.get(place))
    await second.source.rescan('test')
    await atRest(second, 500)
    const missed = second.source.state()
    const third = await second.restart(() => rmdirSync(place))
    await third.source.rescan('test')
    await atRest(third, 500)
    const held = third.ledger.paths
    const givenUp = third.source.approve()
    await until(() => third.ledger.paths.join() === 'near')
    await until(() => third.source.state().state === 'watching')

    expect(missed).toMatchObject({
      state: 'degraded',
      reason: expect.stringMatching(/^not mounted: disk; .*"fanfold approve papers"/) as string,
    })
    expect(second.notes.filter(({ event }) => event === 'unmounted')).toMatchObject([{ path: 'disk' }])
    expect(held).toEqual(['disk/deep/a', 'near'])
    expect(givenUp).toEqual([place])
    expect(third.source.state().reason).toBeNull()
    expect(third.source.approve()).toEqual([])
  })

  test('F11: mounted again later, it is watched and compared again; one in which nothing is known is not missed', async () => {
    const world = await aWorld({ before: mounted, settleMs: 100, clock: aClock() })
    const place = join(world.root, 'disk')
    const second = await world.restart(unmountings.get(place))
    const unmissed = second.source.state()
    rmdirSync(place)
    const again = await second.restart(() => mounted(world.root))
    writeFileSync(join(place, 'a'), 'x')
    await until(() => again.ledger.paths.join() === 'disk/a')

    const without = await again.restart(() => execFileSync('umount', ['--lazy', place]))
    const missed = without.source.state()
    execFileSync('mount', ['-t', 'tmpfs', 'none', place])
    writeFileSync(join(place, 'b'), 'x')
    await until(
      () => without.ledger.paths.join() === 'disk/b',
      () => without.source.state(),
    )
    const back = without.source.state()
    unmountings.get(place)?.()

    expect(unmissed).toMatchObject({ state: 'watching', reason: null })
    expect(missed.state).toBe('degraded')
    expect(back).toMatchObject({ state: 'watching', reason: null })
  })

  test.each([
    ['later', true],
    ['at once', false],
  ])('F11: mounted again %s with another device number, it is compared and watched', async (_, isMissed) => {
    const world = await aWorld({ before: mounted, settleMs: 100, clock: aClock() })
    const place = join(world.root, 'disk')
    for (const name of ['stays', 'went']) writeFileSync(join(place, name), 'x')
    await until(() => world.ledger.paths.join() === 'disk/stays,disk/went')
    const firstDevice = statSync(place).dev
    // Mounted while the first one is, and so of another number.
    const other = mounted(tempFolder())

    execFileSync('umount', [place])
    if (isMissed) await until(() => world.source.state().state === 'degraded')
    execFileSync('mount', ['--bind', other, place])
    for (const name of ['stays', 'fresh']) writeFileSync(join(place, name), 'x')
    await until(
      () => world.ledger.paths.join() === 'disk/fresh,disk/stays',
      () => world.source.state(),
    )
    writeFileSync(join(place, 'seen'), 'x')
    await until(() => world.ledger.paths.includes('disk/seen'))

    expect(statSync(place).dev).not.toBe(firstDevice)
    expect(world.source.state()).toMatchObject({ state: 'watching', reason: null })
  })

  test('F11: an empty disk that is unmounted leaves a folder like any other', async () => {
    const world = await aWorld({ before: mounted, settleMs: 100, clock: aClock() })
    const place = join(world.root, 'disk')

    unmountings.get(place)?.()
    writeFileSync(join(place, 'a'), 'x')
    await until(
      () => world.ledger.paths.join() === 'disk/a',
      () => world.source.state(),
    )
    writeFileSync(join(place, 'b'), 'x')
    await until(() => world.ledger.paths.join() === 'disk/a,disk/b')

    expect(world.source.state()).toMatchObject({ state: 'watching', reason: null })
  })

  test('F11: a root that was a mount point is missing while it is none, whatever lies in the folder below', async () => {
    const root = mounted(tempFolder())
    const world = await aWorld({ path: root, settleMs: 100 })
    writeFileSync(join(root, 'a'), 'x')
    await until(() => world.ledger.paths.join() === 'a')
    await world.stop()
    unmountings.get(root)?.()
    writeFileSync(join(root, 'put here by mistake'), 'x')

    const again = await aStartingWorld({ path: root, ledger: world.ledger, settleMs: 100 })
    await until(() => again.source.state().state === 'missing' && again.source.isIdle())
    const missing = again.source.state()
    const held = again.ledger.paths
    const givenUp = again.source.approve()
    await until(() => again.ledger.paths.join() === 'put here by mistake')

    expect(missing.reason).toBe(
      `${root} is on another file system than before: mount it again, or say "fanfold approve papers" if this is meant`,
    )
    expect(held).toEqual(['a'])
    expect(givenUp).toEqual([root])
  })

  test('F11: without a source that runs, what is not mounted is known all the same, and another disk by its mark', () => {
    const root = mounted(tempFolder())
    const there = { folder: '', mark: undefined }
    const another = { folder: '', mark: '2:1700000000000000000' }
    const gone = { folder: 'gone', mark: undefined }

    expect(notMounted(root, [there, gone])).toEqual([gone])
    expect(notMounted(root, [another])).toEqual([another])
    expect(notMounted(join(root, 'absent'), [there])).toEqual([there])
  })

  test('F11: a root that is another disk than before the start waits for approve', async () => {
    const root = mounted(tempFolder())
    writeFileSync(join(root, 'a'), 'x')
    const ledger = new Ledger()
    const first = await aWorld({ path: root, settleMs: 100, ledger })
    await until(() => ledger.paths.join() === 'a')
    const kept = ledger.mounts.of('papers')
    await first.stop()
    rmSync(join(root, 'a'))
    ledger.mounts.keep('papers', [{ folder: '', mark: '2:1700000000000000000' }])

    const again = await aStartingWorld({ path: root, ledger, settleMs: 100, clock: aClock() })
    await until(() => again.source.state().state === 'missing' && again.source.isIdle())
    const held = ledger.paths
    writeFileSync(join(root, 'b'), 'x')
    const givenUp = again.source.approve()
    await until(() => ledger.paths.join() === 'b')

    expect(kept).toEqual([{ folder: '', mark: undefined }])
    expect([held, givenUp]).toEqual([['a'], [root]])
    expect(ledger.mounts.of('papers')).toEqual(kept)
  })

  test('F11: a root that was a disk and is another one, be that empty, waits for approve', async () => {
    const root = mounted(tempFolder())
    writeFileSync(join(root, 'a'), 'x')
    const world = await aWorld({ path: root, settleMs: 100, clock: aClock() })
    await until(() => world.ledger.paths.join() === 'a')
    const other = mounted(tempFolder())
    const state = (): SourceState => world.source.state()

    execFileSync('umount', ['--lazy', root])
    execFileSync('mount', ['--bind', other, root])
    await until(() => state().reason?.includes('another file system') === true, state)
    const held = world.ledger.paths
    writeFileSync(join(root, 'b'), 'x')
    const givenUp = world.source.approve()
    await until(() => world.ledger.paths.join() === 'b', state)

    expect([held, givenUp]).toEqual([['a'], [root]])
    await until(() => state().state === 'watching', state)
  })

  test('F8: is polled where it does not tell of changes, from when it is mounted, while the rest is watched', async () => {
    const blindMount = (fsType: string): string | undefined => (fsType === 'tmpfs' ? 'a blind one' : undefined)
    const world = await aWorld({ clock: aClock(), blindMount, ignore: ['/disk/hidden/'], settleMs: 100 })
    writeFileSync(join(world.root, 'near'), 'x')
    await until(() => world.ledger.paths.join() === 'near')
    await atRest(world, 300)

    const place = mounted(world.root)
    mkdirSync(join(place, 'hidden'))
    writeFileSync(join(place, 'a'), 'one')
    linkSync(join(place, 'a'), join(place, 'hidden/a'))
    await until(() => world.ledger.paths.join() === 'disk/a,near')
    // Under a name that is not watched, as another machine would.
    writeFileSync(join(place, 'hidden/a'), 'other')
    await until(() => world.ledger.file('papers', sourcePath('disk/a'))?.size === 5)
    const polled = world.source.state()
    unmountings.get(place)?.()
    await until(
      () => world.source.state().reason?.startsWith('not mounted: disk; ') === true,
      () => world.source.state(),
    )
    await atRest(world, 300)

    expect(polled).toMatchObject({ state: 'watching', watched: 2 })
    expect(polled.reason).toBe('polled, since they do not tell of changes: disk (a blind one)')
    expect(world.notes.map(({ event }) => event)).toEqual(['mounted', 'unmounted'])
    expect(world.ledger.paths).toEqual(['disk/a', 'near'])
  })
})

test('F14: mounts are read from the kernel’s table: by their own names, the uppermost at each place, without those of the same file system', () => {
  const table = Buffer.from(
    [
      '20 1 8:1 / / rw - ext4 /dev/sda1 rw',
      '21 20 8:2 / /srv rw,relatime shared:1 - xfs /dev/sdb1 rw',
      '22 21 0:40 / /srv/papers/a\\040b rw - nfs4 host:/x rw',
      '23 21 8:2 /other /srv/papers/same rw - xfs /dev/sdb1 rw',
      '24 21 0:41 / /srv/papers/twice rw - tmpfs none rw',
      '25 24 0:42 / /srv/papers/twice rw - fuse.sshfs host: rw',
      '26 21 0:43 / /srv/papers2 rw - tmpfs none rw',
      'what this is nobody knows',
    ].join('\n'),
  )

  const found = mountsBelow('/srv/papers', table)

  expect(found).toEqual([
    { folder: 'a b', fsType: 'nfs4' },
    { folder: 'twice', fsType: 'fuse.sshfs' },
  ])
  expect(found.map(({ fsType }) => blindMount(fsType))).toEqual(['NFS', 'FUSE (sshfs)'])
  expect(blindMount('ext4')).toBeUndefined()
  const disks = ['/srv', '/srv/papers/a b', '/srv/papers/same', '/srv/papers'].filter((path) => isDisk(path, table))
  expect(disks).toEqual(['/srv', '/srv/papers/a b'])
})
