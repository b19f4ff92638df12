import { systemClock } from '../../src/base/clock.ts'
import { describe, expect, test } from 'vitest'
import { decodeName, sourcePath } from '../../src/base/path.ts'
import { everything, openJournal, type Facts } from '../../src/journal/journal.ts'
import { aPut, aRemove } from '../builders.ts'
import { aJournal, delivered, declared } from './rig.ts'

const toBoth = (rig: ReturnType<typeof aJournal>) => () => [rig.nas, rig.usb]

describe('recording changes', () => {
  test('F82: one change is one file row and one delivery for each target that selects it', () => {
    const rig = aJournal()

    const [accepted] = rig.journal.record([aPut('a.pdf')], () => [rig.nas])

    expect(accepted).toMatchObject({ seq: 1, owedTo: [rig.nas] })
    expect(rig.journal.counts(rig.nas)).toMatchObject({ waiting: 1, bytesOwed: 10 })
    expect(rig.journal.counts(rig.usb)).toMatchObject({ waiting: 0, bytesOwed: 0 })
  })

  test('a fan-out is complete or it did not happen: a selector that fails leaves no row behind', () => {
    const rig = aJournal()
    const failing = ({ path }: Facts): number[] => {
      if (path === 'b') throw new Error('selector failed')
      return [rig.nas]
    }

    expect(() => rig.journal.record([aPut('a'), aPut('b')], failing)).toThrow('selector failed')

    expect(rig.journal.head).toBe(0)
    expect(rig.journal.recordOf('papers', sourcePath('a'))).toBeUndefined()
    expect(rig.journal.counts(rig.nas).waiting).toBe(0)
    rig.journal.record([aPut('deep/er/a')], toBoth(rig))
    expect(rig.journal.filesBelow('papers', sourcePath('deep'), 10)).toEqual(['deep/er/a'])
  })

  test('F43: a put that repeats a known stat is owed again, and its digest is forgotten', async () => {
    const rig = aJournal()
    rig.journal.record([aPut('a')], () => [rig.nas])
    const [first] = rig.journal.claim(rig.nas, 1)
    if (first === undefined) throw new Error('nothing claimed')
    await rig.journal.finish(first, delivered(first))

    rig.journal.record([aPut('a')], () => [rig.nas])

    expect(rig.journal.claim(rig.nas, 1)[0]).toMatchObject({ seq: 2, digest: undefined, receipt: { seq: 1 } })
  })

  test('F19: a removal of what is not there is no change', () => {
    const rig = aJournal()

    expect(rig.journal.record([aRemove('a')], toBoth(rig))).toEqual([undefined])

    expect(rig.journal.head).toBe(0)
  })

  test('F16: a large folder is read in pages, in one order, odd names included', () => {
    const rig = aJournal()
    const names = ['a', 'B', 'ü', '🎏', decodeName(Buffer.from([0xff])), decodeName(Buffer.from([0x61, 0xff]))]
    rig.journal.record(
      names.map((name) => aPut(name)),
      toBoth(rig),
    )

    const pages: string[] = []
    for (;;) {
      const page = rig.journal.filesIn('papers', sourcePath(''), pages.at(-1), 2)
      if (page.length === 0) break
      pages.push(...page.map((file) => file.name))
    }

    expect([...pages].sort()).toEqual([...names].sort())
    expect(pages).toHaveLength(names.length)
  })

  test('F42, F43: one nanosecond of difference is a change', () => {
    const rig = aJournal()
    rig.journal.record([aPut('a', { mtimeNs: 1_700_000_000_000_000_001n })], toBoth(rig))

    const [accepted] = rig.journal.record([aPut('a', { mtimeNs: 1_700_000_000_000_000_002n })], toBoth(rig))

    expect(accepted?.seq).toBe(2)
    expect(rig.journal.file('papers', sourcePath('a'))?.mtimeNs).toBe(1_700_000_000_000_000_002n)
  })

  test('a newer change replaces what was owed, keeps its age and begins its attempts anew', async () => {
    const rig = aJournal()
    rig.journal.record([aPut('a', { size: 1 })], () => [rig.nas])
    const [first] = rig.journal.claim(rig.nas, 1)
    if (first === undefined) throw new Error('nothing claimed')
    await rig.journal.finish(first, { kind: 'postponed', delayMs: 60_000, reason: 'busy', isCounted: true })
    const since = rig.journal.oldestSinceMs(rig.nas)

    rig.journal.record([aPut('a', { size: 2 })], () => [rig.nas])

    expect(rig.journal.oldestSinceMs(rig.nas)).toBe(since)
    expect(rig.journal.counts(rig.nas)).toMatchObject({ waiting: 1, postponed: 0, bytesOwed: 2 })
    expect(rig.journal.claim(rig.nas, 1)[0]).toMatchObject({ seq: 2, attempts: 0, size: 2 })
  })

  test('a file that grew out of a selector is owed there no longer', () => {
    const rig = aJournal()
    rig.journal.record([aPut('a', { size: 1 })], toBoth(rig))

    rig.journal.record([aPut('a', { size: 1_000_000 })], () => [rig.usb])

    expect(rig.journal.counts(rig.nas).waiting).toBe(0)
    expect(rig.journal.counts(rig.usb).waiting).toBe(1)
  })

  test('F92: a removed file is owed to nobody, and its receipts stay', async () => {
    const rig = aJournal()
    rig.journal.record([aPut('a')], toBoth(rig))
    const [delivery] = rig.journal.claim(rig.nas, 1)
    if (delivery === undefined) throw new Error('nothing claimed')
    await rig.journal.finish(delivery, delivered(delivery))

    rig.journal.record([aRemove('a')], toBoth(rig))

    expect(rig.journal.counts(rig.usb).waiting).toBe(0)
    expect(rig.journal.counts(rig.nas).delivered).toBe(1)
    expect(rig.journal.file('papers', sourcePath('a'))).toBeUndefined()
    expect(rig.journal.fileCounts().get('papers')).toBe(0)
  })

  test('F17: a name that is no UTF-8 comes back byte for byte', () => {
    const rig = aJournal()
    const name = decodeName(Buffer.from([0x66, 0xff, 0xfe, 0x2e, 0x74]))

    rig.journal.record([aPut(`in/${name}`)], toBoth(rig))
    rig.reopen()

    expect(rig.journal.filesIn('papers', sourcePath('in'), undefined, 10).map((file) => file.name)).toEqual([name])
    expect(rig.journal.claim(rig.nas, 1)[0]?.path).toBe(`in/${name}`)
  })

  test('inodes above 2^63 survive', () => {
    const rig = aJournal()

    rig.journal.record([aPut('a', { inode: 2n ** 64n - 5n })], toBoth(rig))

    expect(rig.journal.file('papers', sourcePath('a'))?.inode).toBe(2n ** 64n - 5n)
    expect(rig.journal.claim(rig.nas, 1)[0]?.inode).toBe(2n ** 64n - 5n)
  })
})

describe('offering the feed again', () => {
  const all = (): 'take' => 'take'

  function offerAll(rig: ReturnType<typeof aJournal>, target: string, limit = 2): number {
    let owed = 0
    while (rig.journal.target(target).cursor < rig.journal.head) owed += rig.journal.offer(target, limit, all).owed
    return owed
  }

  test('cursors stay at the head while changes are recorded', () => {
    const rig = aJournal()

    rig.journal.record([aPut('a'), aPut('b')], toBoth(rig))

    expect(rig.journal.target('nas').cursor).toBe(2)
  })

  test('F98: a new target is offered everything, behind live changes', () => {
    const rig = aJournal()
    rig.journal.record([aPut('old1'), aPut('old2'), aPut('old3')], () => [])
    const late = rig.journal.declareTarget('late', declared('all')).id

    expect(offerAll(rig, 'late')).toBe(3)
    rig.journal.record([aPut('live')], () => [late])

    expect(rig.journal.claim(late, 4).map((delivery) => delivery.path)).toEqual(['live', 'old1', 'old2', 'old3'])
    expect(rig.journal.target('late').cursor).toBe(4)
  })

  test('a live change during an offer is not owed twice, and the cursor ends at the head', async () => {
    const rig = aJournal()
    rig.journal.record([aPut('a'), aPut('b'), aPut('c')], () => [])
    const late = rig.journal.declareTarget('late', declared('all')).id
    rig.journal.offer('late', 1, all)
    rig.journal.record([aPut('c', { size: 99 })], () => [late])
    const [live] = rig.journal.claim(late, 1)
    if (live === undefined) throw new Error('nothing claimed')
    await rig.journal.finish(live, delivered(live))

    offerAll(rig, 'late', 1)

    expect(live.path).toBe('c')
    expect(rig.journal.counts(late)).toMatchObject({ waiting: 2, delivered: 1 })
    expect(rig.journal.target('late').cursor).toBe(rig.journal.head)
  })

  test('an edited selector sets the cursor back; what is proven is not owed again', async () => {
    const rig = aJournal()
    rig.journal.record([aPut('a'), aPut('b')], () => [rig.nas])
    const [first] = rig.journal.claim(rig.nas, 1)
    if (first === undefined) throw new Error('nothing claimed')
    await rig.journal.finish(first, delivered(first))

    rig.journal.declareTarget('nas', declared('another selector'))

    expect(rig.journal.target('nas').cursor).toBe(0)
    offerAll(rig, 'nas')
    expect(rig.journal.counts(rig.nas)).toMatchObject({ waiting: 1, delivered: 1 })
  })

  test('F93: what a selector leaves is forgotten by an offer, never removed', () => {
    const rig = aJournal()
    rig.journal.record([aPut('a'), aPut('b')], () => [rig.nas])
    rig.journal.declareTarget('nas', declared('only b'))

    rig.journal.offer('nas', 10, ({ path }) => (path === 'b' ? 'take' : 'leave'))

    expect(rig.journal.claim(rig.nas, 9).map((delivery) => delivery.path)).toEqual(['b'])
  })

  test('resync owes proven copies a look, and a second one widens the first', async () => {
    const rig = aJournal()
    rig.journal.record([aPut('a')], () => [rig.nas])
    const [first] = rig.journal.claim(rig.nas, 1)
    if (first === undefined) throw new Error('nothing claimed')
    await rig.journal.finish(first, delivered(first))

    rig.journal.offerAgain('nas', { ...everything, source: 'papers', look: 'entry' })
    rig.journal.offerAgain('nas', { ...everything, look: 'hash' })

    expect(rig.journal.target('nas').offer).toEqual({ source: null, glob: null, look: 'hash' })
    expect(offerAll(rig, 'nas')).toBe(1)
    expect(rig.journal.claim(rig.nas, 1)[0]).toMatchObject({ look: 'hash', receipt: { seq: 1 } })
  })

  test('an offer goes on after a restart where it was', () => {
    const rig = aJournal()
    rig.journal.record([aPut('a'), aPut('b'), aPut('c')], () => [])
    const late = rig.journal.declareTarget('late', declared('all')).id
    rig.journal.offer('late', 2, all)

    rig.reopen()

    expect(rig.journal.target('late')).toMatchObject({ cursor: 2, offerLeft: 1 })
    offerAll(rig, 'late')
    expect(rig.journal.counts(late).waiting).toBe(3)
  })

  test('F96: what changes while a target is out of the configuration is offered to it when it comes back', () => {
    const rig = aJournal()
    rig.journal.record([aPut('kept'), aPut('gone')], () => [rig.usb])
    rig.journal.close()
    rig.journal = openJournal(rig.file, systemClock).journal
    rig.journal.declareTarget('nas', declared('all'))
    rig.journal.record([aPut('new'), aPut('kept', { size: 77 }), aRemove('gone')], () => [])

    rig.journal.declareTarget('usb', declared('all'))
    offerAll(rig, 'usb')

    const owed = rig.journal.claim(rig.usb, 9).filter(({ look }) => look !== 'receipt')
    expect(owed.map(({ path, size, seq }) => [path, size, seq]).sort()).toEqual([
      ['kept', 77, 4],
      ['new', 10, 3],
    ])
  })

  test('a target that stands somewhere else now is offered everything there, and keeps no mark of the old place', () => {
    const rig = aJournal()
    rig.journal.record([aPut('a')], () => [rig.nas])
    rig.journal.setMark('nas', 'the old disk')

    rig.journal.declareTarget('nas', declared('all', '/mnt/other'))

    expect(rig.journal.target('nas')).toMatchObject({ mark: null, cursor: 0, offer: { look: 'entry' } })
    expect(offerAll(rig, 'nas')).toBe(1)
  })
})
