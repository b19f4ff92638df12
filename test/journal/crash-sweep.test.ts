/** Every statement in turn: killed there, or without room there. What was promised before has to hold after. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { sourcePath } from '../../src/base/path.ts'
import {
  everything,
  openJournal,
  type Accepted,
  type Delivery,
  type Journal,
  type Outcome,
} from '../../src/journal/journal.ts'
import { aMove, aPut, aRemove } from '../builders.ts'
import { ManualClock } from '../manual-clock.ts'
import { declared, delivered } from './rig.ts'

type Hook = (name: string, when: 'before' | 'after') => void

const killsMax = 1_000
const yearMs = 366 * 86_400_000
const never = new AbortController().signal

/** In memory where there is such a folder: what is proven is order, and hundreds of journals are synced for it. */
function aFastFolder(): string {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'fanfold-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** What the journal said that it has. */
interface Promised {
  readonly changes: Map<string, number>
  readonly receipts: Map<string, number>
}

const copyOf = ({ changes, receipts }: Promised): Promised => ({
  changes: new Map(changes),
  receipts: new Map(receipts),
})

/** A journal, its clock, and what it promised so far. */
class Story {
  readonly promised: Promised = { changes: new Map(), receipts: new Map() }
  readonly clock = new ManualClock()
  readonly journal: Journal
  readonly nas: number
  readonly usb: number

  constructor(file: string, onStatement: Hook) {
    this.clock.advance(1_000)
    this.journal = openJournal(file, this.clock, { onStatement }).journal
    this.nas = this.journal.target('nas').id
    this.usb = this.journal.target('usb').id
    for (const name of ['nas', 'usb']) this.journal.declareTarget(name, declared('all'))
  }

  /** Moves the clock on until it is done: groups are committed by time, and so is a full disk looked at again. */
  async done<T>(work: Promise<T>): Promise<T> {
    let isDone = false
    const end = (): void => {
      isDone = true
    }
    work.then(end, end)
    const isOpen = (): boolean => !isDone
    for (let turns = 0; isOpen() && turns < 1_000; turns++) {
      this.clock.advance(100)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return work
  }

  verb<T>(work: () => T): Promise<T> {
    return this.done(this.journal.patiently(work, never))
  }

  async record(...changes: Parameters<Journal['record']>[0]): Promise<readonly (Accepted | undefined)[]> {
    const accepted = await this.verb(() => this.journal.record(changes, () => [this.nas, this.usb]))
    accepted.forEach((one, index) => this.promised.changes.set(changes[index]?.path ?? '', one?.seq ?? 0))
    return accepted
  }

  async finish(delivery: Delivery | undefined, outcome: (delivery: Delivery) => Outcome): Promise<void> {
    if (delivery === undefined) throw new Error('nothing was claimed')
    const { targetId, fileId, seq } = delivery
    const end = outcome(delivery)
    await this.done(this.journal.finish(delivery, end))
    if (end.kind === 'delivered') this.promised.receipts.set(`${targetId} ${fileId}`, seq)
  }
}

/** One of everything that writes. */
async function tell(story: Story): Promise<void> {
  const { journal, nas, usb, clock } = story
  await story.record(aPut('d/a'), aPut('d/b'), aPut('e/c'))
  const [a, b] = journal.claim(nas, 2)
  if (a === undefined) throw new Error('nothing was claimed')
  await story.done(journal.saveSession(a, { offset: 64 }))
  await story.done(journal.keepDigest(a, { sha256: 'cd'.repeat(32), crc32: 5 }))
  await story.finish(a, (delivery) => delivered(delivery, 'cd'.repeat(32)))
  await story.finish(b, () => ({ kind: 'postponed', delayMs: 60_000, reason: 'busy', isCounted: true }))
  await story.record(aPut('d/a', { size: 11 }), aRemove('e/c'), aPut('f/d'), aPut('f/d', { size: 12 }))
  const [first, second, third] = journal.claim(usb, 3)
  await story.finish(first, () => ({ kind: 'parked', reason: 'name too long', againInMs: null }))
  await story.finish(second, () => ({ kind: 'interrupted' }))
  await story.finish(third, delivered)
  await story.done(journal.foldersAt('nas').keep('d', 'id-d'))
  await story.done(journal.foldersAt('nas').keep('d/sub', 'id-sub'))
  await story.done(journal.foldersAt('nas').forget('d'))
  await story.verb(() => journal.retry(nas))
  await story.verb(() => journal.declareTarget('late', declared('all')))
  while (journal.target('late').cursor < journal.head) await story.verb(() => journal.offer('late', 2, () => 'take'))
  await story.verb(() => journal.setMark('nas', 'm1'))
  await story.verb(() => journal.offerAgain('nas', { ...everything, look: 'entry' }))
  while (journal.target('nas').cursor < journal.head) await story.verb(() => journal.offer('nas', 3, () => 'take'))
  journal.note({ source: 'papers', event: 'missed', detail: 'a line that belongs to no delivery' })
  for (const delivery of journal.claim(nas, 9)) await story.finish(delivery, delivered)
  await story.record(aRemove('d/b'))
  clock.setWall(clock.wallMs() + yearMs)
  await story.record(aPut('d/b', { size: 13 }))
  // A swap, of which one half has a copy; into a new folder; and over a file with copies.
  await story.record(
    ...[aMove('d/a', 'd/b', { size: 11 }), aMove('d/b', 'd/a', { size: 13 }), aMove('f/d', 'g/d', { size: 12 })],
    ...[aPut('h/i'), aMove('h/i', 'd/a', {})],
  )
  const moved = journal.claim(nas, 9).find(({ receipt }) => receipt !== undefined)
  await story.finish(moved, ({ receipt }) => {
    const aside = receipt && { ...receipt, path: 'aside' }
    return { kind: 'postponed', delayMs: 9, reason: 'in the way', isCounted: false, ...(aside && { aside }) }
  })
  await tellOfGoneCopy(story)
  clock.advance(20_000)
}

/** A new file gets the copy of one that went. */
async function tellOfGoneCopy(story: Story): Promise<void> {
  const { journal, nas, promised } = story
  const size = 70_000
  await story.record(aPut('j/k', { size, inode: 77n }))
  await story.finish(claimedAt(story, 'j/k'), delivered)
  await story.record(aRemove('j/k'), aPut('l/m', { size, inode: 78n }))
  const fresh = claimedAt(story, 'l/m')
  const gone = journal.moves.gone.find(fresh, 'ab'.repeat(32))
  if (gone === undefined) throw new Error('nothing went')
  promised.receipts.delete(`${nas} ${gone.fileId}`)
  if (!(await story.done(journal.moves.gone.handOver(fresh, gone)))) throw new Error('nothing was handed over')
  await story.finish(fresh, () => ({ kind: 'released' }))
}

function claimedAt({ journal, nas }: Story, path: string): Delivery {
  const delivery = journal.claim(nas, 9).find((one) => one.path === path)
  if (delivery === undefined) throw new Error(`${path} was not claimed`)
  return delivery
}

/** Where files of the story go that leave nothing behind. */
const movedTo = new Map([['f/d', 'g/d']])

/** What no crash may break. Answers all that is wrong. */
function wrongs(file: string, { changes, receipts }: Promised): string[] {
  const { journal, damagedFile } = openJournal(file, new ManualClock())
  const wrong = damagedFile === undefined ? [] : ['it was taken for damaged']
  for (const [path, seq] of changes) {
    const places = [path, movedTo.get(path) ?? path].map((place) => journal.recordOf('papers', sourcePath(place)))
    if (Math.max(...places.map((record) => record?.seq ?? 0)) < seq) wrong.push(`change ${seq} of ${path} is lost`)
  }
  journal.close()
  const reader = new Database(file)
  const all = (sql: string): unknown => reader.prepare(sql).raw().all()
  const receiptSeq = reader.prepare<[string], number>("SELECT seq FROM receipt WHERE target_id || ' ' || file_id = ?")
  for (const [key, seq] of receipts) {
    if ((receiptSeq.pluck().get(key) ?? 0) < seq) wrong.push(`receipt ${key} of seq ${seq} is lost`)
  }
  const expectNone = (what: string, sql: string): void => {
    const rows = JSON.stringify(all(sql))
    if (rows !== '[]') wrong.push(`${what}: ${rows}`)
  }
  expectNone(
    'a file that is neither owed nor proven',
    `SELECT target.name, file.id, file.seq FROM file, target WHERE target.name IN ('nas', 'usb') AND present = 1
       AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.file_id = file.id AND d.target_id = target.id AND d.wanted_seq = file.seq)
       AND NOT EXISTS (SELECT 1 FROM receipt r WHERE r.file_id = file.id AND r.target_id = target.id AND r.seq = file.seq)`,
  )
  expectNone(
    'a lane that miscounts',
    `WITH real AS (SELECT target_id, state, count(*) AS files, sum(bytes) AS bytes FROM delivery GROUP BY 1, 2
       UNION ALL SELECT target_id, 'delivered', count(*), sum(size) FROM receipt GROUP BY 1)
     SELECT * FROM lane_count LEFT JOIN real USING (target_id, state)
     WHERE lane_count.files <> coalesce(real.files, 0) OR lane_count.bytes <> coalesce(real.bytes, 0)`,
  )
  expectNone(
    'a source that miscounts',
    'SELECT * FROM source WHERE files <> (SELECT count(*) FROM file WHERE source_id = source.id AND present = 1)',
  )
  expectNone('a reference to nothing', 'PRAGMA foreign_key_check')
  const verdict = JSON.stringify(all('PRAGMA integrity_check'))
  if (verdict !== '[["ok"]]') wrong.push(verdict)
  reader.close()
  return wrong
}

/** Everything that counts, for comparing two journals. */
function contentOf(file: string): unknown {
  const reader = new Database(file, { readonly: true })
  const tables = [
    'source',
    'folder',
    'file',
    'target',
    'delivery',
    'receipt',
    'upload_session',
    'gone_copy',
    'lane_count',
    'history',
  ]
  const content = tables.map((table) => {
    // Times differ by how long there was no room.
    const rows = reader.prepare<[], Record<string, unknown>>(`SELECT * FROM ${table}`).all()
    return rows.map((row) => Object.entries(row).filter(([column]) => !column.endsWith('_ms')))
  })
  reader.close()
  return content
}

function aModelJournal(folder: string): string {
  const file = join(folder, 'model.sqlite')
  const clock = new ManualClock()
  const { journal } = openJournal(file, clock)
  journal.declareSource('papers')
  for (const name of ['nas', 'usb']) journal.declareTarget(name, declared('all'))
  journal.close()
  return file
}

test('F83: killed at any statement, no accepted change is lost, nothing counts as delivered that is not, and counters are right', async () => {
  const folder = aFastFolder()
  const file = join(folder, 'journal.sqlite')
  copyFileSync(aModelJournal(folder), file)
  const kills: { name: string; promised: Promised; folder: string }[] = []
  // A kill leaves the files as they are between two statements: that is what is copied here, in the middle of transactions, too.
  const kill: Hook = (name, when) => {
    if (story === undefined) return
    // The folder is memory: a story that does not end must not fill it.
    if (kills.length >= killsMax) throw new Error(`more than ${killsMax} statements in one story`)
    const at = join(folder, `kill-${kills.length}`)
    mkdirSync(at)
    for (const end of ['', '-wal']) copyFileSync(file + end, join(at, `journal.sqlite${end}`))
    kills.push({ name: `${when} ${name}`, promised: copyOf(story.promised), folder: at })
  }
  let story: Story | undefined = undefined as Story | undefined
  story = new Story(file, kill)

  await tell(story)
  story.journal.close()

  const broken = kills.flatMap(({ name, promised, folder: at }, index) =>
    wrongs(join(at, 'journal.sqlite'), promised).map((wrong) => `${index} ${name}: ${wrong}`),
  )
  expect(broken).toEqual([])
  expect(kills.length).toBeGreaterThan(200)
}, 120_000)

test('F84: without room at any statement, everything is as if there had always been room', async () => {
  const folder = aFastFolder()
  const model = aModelJournal(folder)
  const run = async (failAt: number): Promise<{ points: number; file: string }> => {
    const file = join(folder, `journal-${failAt}.sqlite`)
    copyFileSync(model, file)
    let points = 0
    let story: Story | undefined = undefined as Story | undefined
    story = new Story(file, (_name, when) => {
      if (story === undefined || when === 'after') return
      if (points++ === failAt) throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' })
    })
    await tell(story)
    story.journal.close()
    return { points, file }
  }
  const undisturbed = await run(-1)
  const wanted = contentOf(undisturbed.file)

  for (let failAt = 0; failAt < undisturbed.points; failAt++) {
    const { file } = await run(failAt)
    expect(contentOf(file), `without room at statement ${failAt}`).toEqual(wanted)
    expect(wrongs(file, { changes: new Map(), receipts: new Map() })).toEqual([])
    rmSync(file)
  }
  expect(undisturbed.points).toBeGreaterThan(80)
}, 120_000)
