import { describe, expect, test } from 'vitest'
import { sourcePath } from '../../src/base/path.ts'
import type { Delivery, Facts } from '../../src/journal/journal.ts'
import { aMove, aPut, aRemove, aStat } from '../builders.ts'
import { aJournal, delivered, type Rig } from './rig.ts'

const toNas = (rig: Rig) => () => [rig.nas]

/** Files that the nas has, each with an inode of its own. */
async function held(...paths: string[]): Promise<Rig> {
  const rig = aJournal()
  rig.journal.record(
    paths.map((path, index) => aPut(path, { inode: BigInt(index) })),
    toNas(rig),
  )
  for (const delivery of rig.journal.claim(rig.nas, 99)) await rig.journal.finish(delivery, delivered(delivery))
  return rig
}

function claimed(rig: Rig): Delivery[] {
  return [...rig.journal.claim(rig.nas, 99)].sort((a, b) => a.seq - b.seq)
}

/** What is claimed, as `path <- where its copy lies`. */
function ways(rig: Rig): string[] {
  return claimed(rig).map(({ path, receipt }) => `${path} <- ${receipt?.path ?? 'nowhere'}`)
}

describe('a file that moved', () => {
  test('F30: keeps its row, its receipts and its history, and is owed under its new name', async () => {
    const rig = await held('a/x')
    const { fileId } = rig.journal.recordOf('papers', sourcePath('a/x')) ?? {}

    const [accepted] = rig.journal.record([aMove('a/x', 'b/y', { inode: 0n })], toNas(rig))

    expect(accepted).toMatchObject({ seq: 2, fileId, owedTo: [rig.nas] })
    expect(rig.journal.file('papers', sourcePath('a/x'))).toBeUndefined()
    expect(rig.journal.filesBelow('papers', sourcePath(''), 9)).toEqual(['b/y'])
    expect(rig.journal.history(fileId ?? 0, 1)).toMatchObject([{ event: 'move', path: 'b/y', detail: 'from a/x' }])
    expect(rig.journal.moves.left.at(rig.nas, 'a/x')).toEqual({ fileId, goes: { seq: 2, inMs: 0 } })
    expect(ways(rig)).toEqual(['b/y <- a/x'])
    expect(rig.journal.counts(rig.nas)).toMatchObject({ delivered: 1, waiting: 1 })
    expect(rig.journal.fileCounts().get('papers')).toBe(1)
  })

  test('F31: what is not the file that was known at the old place is a new one, and nothing is said of the old one', async () => {
    const rig = await held('a')

    rig.journal.record([aMove('a', 'b', { inode: 77n }), aMove('never', 'c')], toNas(rig))

    expect([...rig.journal.filesBelow('papers', sourcePath(''), 9)].sort()).toEqual(['a', 'b', 'c'])
    expect(ways(rig)).toEqual(['b <- nowhere', 'c <- nowhere'])
  })

  test('F33: chains and swaps are moves, whatever their order; who makes room comes first', async () => {
    const rig = await held('a', 'b', 'c', 'd')
    const move = (from: string, path: string, inode: bigint) => aMove(from, path, { inode })

    rig.journal.record([move('a', 'b', 0n), move('b', 'e', 1n), move('c', 'd', 2n), move('d', 'c', 3n)], toNas(rig))

    expect(ways(rig).slice(0, 2)).toEqual(['e <- b', 'b <- a'])
    expect(ways(rig)).toEqual([])
    expect([...rig.journal.filesBelow('papers', sourcePath(''), 9)].sort()).toEqual(['b', 'c', 'd', 'e'])
    expect(rig.journal.file('papers', sourcePath('c'))?.inode).toBe(3n)
  })

  test('F25: moved over a file with copies, that one has a new version and this one is gone', async () => {
    const rig = await held('a', 'b')
    const { fileId } = rig.journal.recordOf('papers', sourcePath('b')) ?? {}

    const remover = { targetId: rig.nas, graceMs: 0 }
    rig.journal.record([aMove('a', 'b', { inode: 0n })], toNas(rig), { removers: [remover] })

    expect(rig.journal.recordOf('papers', sourcePath('b'))).toMatchObject({ fileId, isPresent: true })
    expect(rig.journal.recordOf('papers', sourcePath('a'))).toMatchObject({ isPresent: false })
    expect(rig.journal.counts(rig.nas)).toMatchObject({ waiting: 1, leaving: 1 })
  })

  test('moved to where a forgotten file was, it inherits that one’s history', async () => {
    const rig = await held('a')
    rig.journal.record([aPut('b', { inode: 9n })], () => [])

    rig.journal.record([aMove('a', 'b', { inode: 0n })], toNas(rig))

    const { fileId } = rig.journal.recordOf('papers', sourcePath('b')) ?? {}
    expect(rig.journal.history(fileId ?? 0, 9).map(({ event }) => event)).toEqual(['move', 'put', 'delivered', 'put'])
    expect(rig.journal.fileCounts().get('papers')).toBe(1)
  })

  test('F34: one that was gone and is found elsewhere takes its copy along, whatever was to become of that', async () => {
    const rig = await held('a')
    rig.journal.record([aRemove('a')], toNas(rig), { removers: [{ targetId: rig.nas, graceMs: 60_000 }] })

    expect(rig.journal.moves.whereabouts('papers', aStat({ inode: 0n }))).toEqual(['a'])
    rig.journal.record([aMove('a', 'b', { inode: 0n })], toNas(rig))

    expect(rig.journal.counts(rig.nas)).toMatchObject({ leaving: 0, waiting: 1 })
    expect(ways(rig)).toEqual(['b <- a'])
    expect(rig.journal.fileCounts().get('papers')).toBe(1)
  })

  test('F35: out of what a target takes, its copy goes as the policy says; into it, it is owed', async () => {
    const rig = await held('in/a')
    rig.journal.record([aPut('out/b', { inode: 5n })], () => [])
    const selection = ({ path }: Facts): number[] => (path.startsWith('in/') ? [rig.nas] : [])
    const remover = { targetId: rig.nas, graceMs: 0 }

    const moves = [aMove('in/a', 'out/a', { inode: 0n }), aMove('out/b', 'in/b', { inode: 5n })]
    const [out, into] = rig.journal.record(moves, selection, { removers: [remover] })

    expect(out).toMatchObject({ owedTo: [rig.nas], isGivenUp: true })
    expect(into).toMatchObject({ owedTo: [rig.nas], isGivenUp: false })
    expect(rig.journal.counts(rig.nas)).toMatchObject({ leaving: 1, waiting: 1 })
    expect(claimed(rig).map(({ path, look }) => [path, look])).toEqual([
      ['out/a', 'remove'],
      ['in/b', 'trust'],
    ])
  })

  test('while a delivery is under way: what that writes is where the file was, and the move is still owed', async () => {
    const rig = aJournal()
    rig.journal.record([aPut('a')], toNas(rig))
    const [first] = claimed(rig)
    if (first === undefined) throw new Error('nothing claimed')

    rig.journal.record([aMove('a', 'b')], toNas(rig))
    await rig.journal.finish(first, delivered(first))

    expect(rig.journal.moves.left.at(rig.nas, 'a')).toMatchObject({ goes: { seq: 2 } })
    expect(ways(rig)).toEqual(['b <- a'])
  })

  test('a place that another copy took holds nothing of the file that left it', async () => {
    const rig = await held('a')
    rig.journal.record([aMove('a', 'b', { inode: 0n }), aPut('a', { inode: 3n })], toNas(rig))
    const [moved, fresh] = claimed(rig)
    if (moved === undefined || fresh === undefined) throw new Error('not claimed')

    await rig.journal.finish(fresh, delivered(fresh))
    await rig.journal.finish(moved, { kind: 'postponed', delayMs: 0, reason: 'busy', isCounted: false })

    expect(rig.journal.moves.left.at(rig.nas, 'a')).toBeUndefined()
    expect(rig.journal.counts(rig.nas)).toMatchObject({ delivered: 1 })
    expect(rig.journal.receiptsOf(moved.fileId).size).toBe(0)
  })

  test('a copy that is kept although nobody wants it is nothing any more once another one has its place', async () => {
    const rig = await held('in/a')
    const selection = ({ path }: Facts): number[] => (path.startsWith('in/') ? [rig.nas] : [])
    rig.journal.record([aPut('in/a', { inode: 0n, size: 9 })], selection)
    const [leased] = claimed(rig)
    rig.journal.record([aMove('in/a', 'out/a', { inode: 0n, size: 9 }), aPut('in/a', { inode: 3n })], selection)
    if (leased?.receipt === undefined) throw new Error('not claimed')
    await rig.journal.finish(leased, { kind: 'interrupted' })
    for (const delivery of claimed(rig)) {
      if (delivery.look === 'receipt') await rig.journal.finish(delivery, { kind: 'looked', receipt: leased.receipt })
      else await rig.journal.finish(delivery, delivered(delivery))
    }

    expect(rig.journal.receiptsOf(leased.fileId).size).toBe(0)
    expect(rig.journal.counts(rig.nas)).toMatchObject({ delivered: 1, waiting: 0 })
  })

  test('F44: a digest stays only where the times are fine and old enough to tell contents apart', async () => {
    const rig = await held('fine')
    const coarse = { mtimeNs: 1_700_000_000_000_000_000n, inode: 8n }
    rig.journal.record([aPut('coarse', coarse)], toNas(rig))
    for (const delivery of claimed(rig)) await rig.journal.finish(delivery, delivered(delivery))

    rig.journal.record([aMove('fine', 'f', { inode: 0n }), aMove('coarse', 'c', coarse)], toNas(rig))

    expect(claimed(rig).map(({ path, digest }) => [path, digest !== undefined])).toEqual([
      ['f', true],
      ['c', false],
    ])
  })
})
