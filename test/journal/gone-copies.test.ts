import { describe, expect, test } from 'vitest'
import { sourcePath } from '../../src/base/path.ts'
import { openJournal, type Change, type Delivery, type FileStat, type Journal } from '../../src/journal/journal.ts'
import { aFolder, aMove, aPut, aRemove } from '../builders.ts'
import { ManualClock } from '../manual-clock.ts'
import { declared, delivered } from './rig.ts'

const dayMs = 86_400_000
const minuteMs = 60_000
const size = 100_000
const content = 'cd'.repeat(32)

interface Story {
  readonly journal: Journal
  readonly clock: ManualClock
  readonly nas: number
  record(...changes: readonly Change[]): void
  /** What is owed now, oldest first. */
  claim(): Delivery[]
  /** Moves the clock on until it is written. */
  done<T>(work: Promise<T>): Promise<T>
  pay(delivery: Delivery, sha256?: string): Promise<void>
}

/** A journal whose target holds a copy of `old/x`, of the content. Copies follow their files after a day. */
async function aStory(some: Partial<FileStat> = {}): Promise<Story> {
  const clock = new ManualClock(1_700_000_000_000)
  const { journal } = openJournal(`${aFolder()}/journal.sqlite`, clock)
  const nas = journal.declareTarget('nas', declared('all')).id
  const done = async <T>(work: Promise<T>): Promise<T> => {
    // A commit that other work holds up is waited for: the clock of groups is the one that stands still.
    for (let turn = 0; turn < 3; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      clock.advance(100)
    }
    return work
  }
  const story: Story = {
    journal,
    clock,
    nas,
    record: (...changes) => {
      journal.record(changes, () => [nas], { removers: [{ targetId: nas, graceMs: dayMs }] })
    },
    claim: () => [...journal.claim(nas, 99)].sort((a, b) => a.seq - b.seq),
    done,
    pay: (delivery, sha256 = content) => done(journal.finish(delivery, delivered(delivery, sha256))),
  }
  story.record(aPut('old/x', { size, inode: 1n, ...some }))
  for (const delivery of story.claim()) await story.pay(delivery)
  return story
}

function claimedOne(story: Story, path: string): Delivery {
  const delivery = story.claim().find((one) => one.path === path)
  if (delivery === undefined) throw new Error(`${path} was not claimed`)
  return delivery
}

async function isHandedOver(story: Story, delivery: Delivery, sha256 = content): Promise<boolean> {
  const gone = story.journal.moves.gone.find(delivery, sha256)
  return gone !== undefined && (await story.done(story.journal.moves.gone.handOver(delivery, gone)))
}

describe('the copy of a file that went, and a new file of its content', () => {
  test('F30: are one from then on, in one step, and are where every file that moved is', async () => {
    const story = await aStory()
    const { journal, nas } = story
    story.record(aRemove('old/x'))
    story.clock.advance(minuteMs)
    story.record(aPut('new/y', { source: 'photos', size, inode: 2n }))
    const delivery = claimedOne(story, 'new/y')

    expect(journal.moves.gone.find(delivery, content)).toMatchObject({ source: 'papers', path: 'old/x', remoteId: '7' })
    expect(await isHandedOver(story, delivery)).toBe(true)
    await story.done(journal.finish(delivery, { kind: 'released' }))

    const { fileId } = delivery
    expect(journal.receiptsOf(1).size).toBe(0)
    expect(journal.openOf(1)).toEqual([])
    expect(journal.moves.left.at(nas, 'old/x')).toEqual({ fileId, goes: { seq: 3, inMs: 0 } })
    expect(journal.counts(nas)).toMatchObject({ delivered: 1, waiting: 1, leaving: 0 })
    expect(claimedOne(story, 'new/y')).toMatchObject({ receipt: { path: 'old/x', seq: 0 }, look: 'trust' })
    const lines = [fileId, 1].map((id) => journal.history(id, 1)[0])
    expect(lines).toMatchObject([
      { event: 'handed-over', path: 'new/y', detail: 'has the content of papers/old/x, and its copy' },
      { event: 'handed-over', path: 'old/x', detail: 'its copy is that of photos/new/y now' },
    ])
    journal.close()
  })

  test('F34: are the same whichever of the two is seen first', async () => {
    const story = await aStory()
    story.record(aPut('new/y', { size, inode: 2n }))
    story.clock.advance(50 * minuteMs)
    story.record(aRemove('old/x'))

    expect(await isHandedOver(story, claimedOne(story, 'new/y'))).toBe(true)
    story.journal.close()
  })

  test('of two new files one has it, the other one is sent', async () => {
    const story = await aStory()
    story.record(aRemove('old/x'), aPut('a', { size, inode: 2n }), aPut('b', { size, inode: 3n }))
    const [a, b] = story.claim()
    if (a === undefined || b === undefined) throw new Error('not claimed')
    const found = story.journal.moves.gone.find(b, content)
    if (found === undefined) throw new Error('not found')

    expect(await isHandedOver(story, a)).toBe(true)
    expect(await story.done(story.journal.moves.gone.handOver(b, found))).toBe(false)
    expect(story.journal.moves.gone.find(b, content)).toBeUndefined()
    story.journal.close()
  })

  test.each<[string, (story: Story) => Promise<void> | void, Partial<FileStat>?]>([
    [
      'it went long ago: a copy that is kept is not taken away',
      (story) => {
        story.record(aRemove('old/x'))
        story.clock.advance(61 * minuteMs)
      },
    ],
    ['it is there still', () => {}],
    ['it came back', (story) => story.record(aRemove('old/x'), aPut('old/x', { size, inode: 1n }))],
    [
      'it moved, as its inode told',
      (story) => story.record(aRemove('old/x'), aMove('old/x', 'z', { size, inode: 1n })),
    ],
    ['it is too small to be worth it', (story) => story.record(aRemove('old/x')), { size: 65_535 }],
    [
      'an attempt at its removal is under way',
      (story) => {
        const { journal, nas } = story
        journal.record([aRemove('old/x')], () => [nas], { removers: [{ targetId: nas, graceMs: 0 }] })
        story.claim()
      },
    ],
  ])('are two where %s', async (_where, happens, some = {}) => {
    const story = await aStory(some)
    await happens(story)
    story.record(aPut('new/y', { size: some.size ?? size, inode: 2n }))

    expect(await isHandedOver(story, claimedOne(story, 'new/y'))).toBe(false)
    story.journal.close()
  })

  test('are two where the new file is another one by now, has a copy, or holds something else', async () => {
    const story = await aStory()
    story.record(aPut('b', { size, inode: 3n }))
    await story.pay(claimedOne(story, 'b'), 'ef'.repeat(32))
    story.record(aRemove('old/x'), aPut('a', { size, inode: 2n }), aPut('b', { size, inode: 4n }), aPut('c', { size }))
    const [a, b, c] = story.claim()
    if (a === undefined || b === undefined || c === undefined) throw new Error('not claimed')
    story.record(aPut('a', { size, inode: 5n }))

    expect(await isHandedOver(story, a)).toBe(false)
    expect(await isHandedOver(story, b)).toBe(false)
    expect(await isHandedOver(story, c, 'ef'.repeat(32))).toBe(false)
    expect(await isHandedOver(story, c)).toBe(true)
    story.journal.close()
  })

  test('F37: are one as well where very many went, whose copies wait for their owner’s word', async () => {
    const story = await aStory()
    story.journal.brake('papers', 'too many')
    story.record(aRemove('old/x'), aPut('new/y', { source: 'photos', size, inode: 2n }))
    story.clock.advance(dayMs)
    const claimed = story.claim()
    const [removal] = claimed
    if (removal?.look !== 'remove') throw new Error('the removal was not claimed')
    await story.done(story.journal.finish(removal, { kind: 'parked', reason: 'too many', againInMs: null }))

    const delivery = claimed.find(({ path }) => path === 'new/y')
    expect(delivery !== undefined && (await isHandedOver(story, delivery))).toBe(true)
    expect(story.journal.counts(story.nas)).toMatchObject({ parked: 0, delivered: 1, waiting: 1 })
    story.journal.close()
  })

  test('what went is known for a week, for targets that are behind, and then forgotten', async () => {
    const story = await aStory()
    story.record(aRemove('old/x'), aPut('new/y', { size, inode: 2n }))
    const delivery = claimedOne(story, 'new/y')

    const after = (ms: number): void => {
      story.clock.setWall(story.clock.wallMs() + ms)
      // Long enough for what tends the journal to come by.
      story.clock.advance(20_000)
    }

    after(7 * dayMs - minuteMs)
    expect(story.journal.moves.gone.find(delivery, content)).toBeDefined()
    after(minuteMs)
    expect(story.journal.moves.gone.find(delivery, content)).toBeUndefined()
    story.journal.close()
  })
})

test('F30: a file of the same content that is believed elsewhere is named, so that it can be looked for', async () => {
  const story = await aStory({ size: 2_000_000 })
  story.record(
    aPut('renamed', { source: 'photos', size: 2_000_000, inode: 1n }),
    aPut('copied', { size: 2_000_000, inode: 9n }),
    aPut('other', { size: 2_000_001, inode: 8n }),
  )
  const [renamed, copied, other] = story.claim()
  if (renamed === undefined || copied === undefined || other === undefined) throw new Error('not claimed')
  const believed = (delivery: Delivery, sha256 = content) => story.journal.moves.gone.believed(delivery, sha256)

  expect(believed(renamed)).toEqual([{ source: 'papers', path: sourcePath('old/x') }])
  expect(believed(copied)).toEqual([{ source: 'papers', path: sourcePath('old/x') }])
  expect(believed(other)).toEqual([])
  expect(believed(renamed, 'ef'.repeat(32))).toEqual([])
  story.journal.close()
})
