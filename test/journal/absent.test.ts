/** F96: what becomes of a target's queue when its name changes, or when it leaves the configuration. */
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openJournal, type Journal } from '../../src/journal/journal.ts'
import { aFolder, aPut } from '../builders.ts'
import { ManualClock } from '../manual-clock.ts'
import { declared, delivered } from './rig.ts'

const dayMs = 24 * 3_600_000

interface Rig {
  readonly clock: ManualClock
  journal: Journal
  restart(): void
}

function aJournalWith(...targets: string[]): Rig {
  const clock = new ManualClock(1_000_000)
  const file = join(aFolder(), 'journal.sqlite')
  const open = (): Journal => openJournal(file, clock).journal
  const rig: Rig = {
    clock,
    journal: open(),
    restart() {
      rig.journal.close()
      rig.journal = open()
    },
  }
  onTestFinished(() => rig.journal.close())
  for (const name of targets) rig.journal.declareTarget(name, declared('all'))
  rig.journal.othersLeft()
  written(rig)
  return rig
}

/** Only the wall clock goes on so far: what is done every few seconds is done a few times. */
function daysPass({ clock }: Rig, days: number): void {
  clock.setWall(clock.wallMs() + Math.round(days * dayMs))
  clock.advance(60_000)
}

/** What is written a moment later is. */
function written({ journal }: Rig): void {
  journal.history(null, 1)
}

/** One copy delivered, two more owed. */
async function withWork({ journal, clock }: Rig, target: string): Promise<number> {
  const { id } = journal.target(target)
  journal.record([aPut('a'), aPut('b'), aPut('c')], () => [id])
  const [first] = journal.claim(id, 1)
  if (first === undefined) throw new Error('nothing claimed')
  const ended = journal.finish(first, delivered(first))
  clock.advance(1000)
  await ended
  return id
}

describe('F96: a target with another name', () => {
  test('has the queue and the receipts of the former one', async () => {
    const rig = aJournalWith('nas')
    const id = await withWork(rig, 'nas')
    rig.restart()

    const row = rig.journal.declareTarget('vault', { ...declared('all'), formerly: 'nas' })

    expect(row).toMatchObject({ id, name: 'vault' })
    expect(rig.journal.counts(id)).toMatchObject({ waiting: 2, delivered: 1 })
    expect(rig.journal.declaredTargets()).toEqual(['vault'])
  })

  test('keeps its own where it has any, and takes nothing from one that is in use', async () => {
    const rig = aJournalWith('nas', 'vault')
    const nas = await withWork(rig, 'nas')

    const row = rig.journal.declareTarget('vault', { ...declared('all'), formerly: 'nas' })
    const other = rig.journal.declareTarget('usb', { ...declared('all'), formerly: 'nas' })

    expect(row.id).not.toBe(nas)
    expect(other.id).not.toBe(nas)
    expect(rig.journal.target('nas').id).toBe(nas)
  })
})

describe('F96: a target that left the configuration', () => {
  test('finds its queue when it comes back within a week', async () => {
    const rig = aJournalWith('nas', 'usb')
    const id = await withWork(rig, 'nas')
    rig.journal.undeclareTarget('nas')
    written(rig)

    daysPass(rig, 6.9)
    const row = rig.journal.declareTarget('nas', declared('all'))
    daysPass(rig, 2)

    expect(row.cursor).toBe(rig.journal.head)
    expect(rig.journal.counts(id)).toMatchObject({ waiting: 2, delivered: 1 })
  })

  test('is a new one after that: all is offered to it, and looked for before it is sent', async () => {
    const rig = aJournalWith('nas', 'usb')
    const id = await withWork(rig, 'nas')
    rig.journal.undeclareTarget('nas')
    written(rig)

    daysPass(rig, 8)

    expect(rig.journal.counts(id)).toMatchObject({ waiting: 0, delivered: 0, bytesOwed: 0 })
    expect(rig.journal.declarationOf('nas')).toBeUndefined()
    const row = rig.journal.declareTarget('nas', declared('all'))
    expect(row).toMatchObject({ id, cursor: 0, offer: { look: 'entry' } })
    while (!rig.journal.offer('nas', 10, () => 'take').isDone);
    expect(rig.journal.claim(id, 9).map(({ look, receipt }) => [look, receipt])).toEqual([
      ['entry', undefined],
      ['entry', undefined],
      ['entry', undefined],
    ])
  })

  test('while the daemon was off counts from the start without it', async () => {
    const rig = aJournalWith('nas', 'usb')
    const id = await withWork(rig, 'nas')
    rig.restart()
    rig.journal.declareTarget('usb', declared('all'))
    rig.journal.othersLeft()
    written(rig)
    daysPass(rig, 6)
    expect(rig.journal.counts(id)).toMatchObject({ waiting: 2 })

    daysPass(rig, 2)

    expect(rig.journal.counts(id)).toMatchObject({ waiting: 0, delivered: 0 })
  })
})
