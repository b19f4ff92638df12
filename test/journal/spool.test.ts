import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import { systemClock } from '../../src/base/clock.ts'
import { openJournal, type Delivery } from '../../src/journal/journal.ts'
import { aPut, aRemove, aSeed } from '../builders.ts'
import { aJournal, delivered } from './rig.ts'

function claimOne(rig: ReturnType<typeof aJournal>): Delivery {
  const [delivery] = rig.journal.claim(rig.nas, 1)
  if (delivery === undefined) throw new Error('nothing claimed')
  return delivery
}

describe('claims', () => {
  test('a claimed delivery is nobody else’s until it ends', async () => {
    const rig = aJournal()
    rig.journal.record([aPut('a'), aPut('b')], () => [rig.nas])

    const first = claimOne(rig)
    const second = claimOne(rig)

    expect([first.path, second.path]).toEqual(['a', 'b'])
    expect(rig.journal.claim(rig.nas, 9)).toEqual([])
    await rig.journal.finish(first, { kind: 'released' })
    expect(claimOne(rig).path).toBe('a')
  })

  test('a crash returns every lease', () => {
    const rig = aJournal()
    rig.journal.record([aPut('a')], () => [rig.nas])
    claimOne(rig)

    rig.reopen()

    expect(claimOne(rig).path).toBe('a')
  })

  test('F33: while an attempt runs, a newer change of its path waits for it to end', async () => {
    const rig = aJournal()
    rig.journal.record([aPut('a', { size: 1 })], () => [rig.nas])
    const running = claimOne(rig)
    rig.journal.record([aPut('a', { size: 2 })], () => [rig.nas])
    expect(rig.journal.claim(rig.nas, 9)).toEqual([])

    await rig.journal.finish(running, delivered(running))

    expect(claimOne(rig)).toMatchObject({ seq: 2, size: 2, receipt: { seq: 1 } })
  })

  test('F74: a postponed delivery lets others pass and comes back when it is due', async () => {
    const rig = aJournal()
    rig.journal.record([aPut('a'), aPut('b')], () => [rig.nas])
    await rig.journal.finish(claimOne(rig), { kind: 'postponed', delayMs: 60, reason: 'busy', isCounted: true })

    expect(claimOne(rig).path).toBe('b')
    expect(rig.journal.claim(rig.nas, 9)).toEqual([])
    await new Promise((resolve) => setTimeout(resolve, 80))

    expect(claimOne(rig)).toMatchObject({ path: 'a', attempts: 1 })
  })

  test('a parked delivery comes back by retry only, and says why it was parked', async () => {
    const rig = aJournal()
    rig.journal.record([aPut('a')], () => [rig.nas])
    await rig.journal.finish(claimOne(rig), { kind: 'parked', reason: 'name too long', againInMs: null })

    expect(rig.journal.claim(rig.nas, 9)).toEqual([])
    expect(rig.journal.reasonOf(rig.nas, 'parked')).toBe('name too long')
    expect(rig.journal.retry(rig.nas)).toBe(1)

    expect(claimOne(rig).path).toBe('a')
  })

  test('a receipt ends the debt and keeps the digest', async () => {
    const rig = aJournal()
    rig.journal.record([aPut('a')], () => [rig.nas, rig.usb])
    const delivery = claimOne(rig)

    await rig.journal.finish(delivery, delivered(delivery, 'cd'.repeat(32)))

    expect(rig.journal.counts(rig.nas)).toMatchObject({ waiting: 0, delivered: 1 })
    expect(rig.journal.claim(rig.usb, 1)[0]?.digest).toEqual({ sha256: 'cd'.repeat(32), crc32: 7 })
    expect(rig.journal.receiptsOf(delivery.fileId).get('nas')).toMatchObject({
      seq: 1,
      path: 'a',
      sha256: 'cd'.repeat(32),
    })
  })

  test('F61, F62: an upload session survives a restart and dies with the content it was for', async () => {
    const rig = aJournal()
    rig.journal.record([aPut('a')], () => [rig.nas])
    await rig.journal.saveSession(claimOne(rig), { offset: 64 })
    rig.reopen()
    const resumed = claimOne(rig)
    await rig.journal.finish(resumed, { kind: 'released' })

    rig.journal.record([aPut('a', { size: 11 })], () => [rig.nas])

    expect(resumed.session).toEqual({ offset: 64 })
    expect(claimOne(rig).session).toBeUndefined()
  })
})

test('counters equal the rows after any sequence of verbs', async () => {
  const rig = aJournal()
  const seed = aSeed()
  const random = seededRandom(seed)
  const pick = (count: number): number => Math.floor(random() * count)
  const open: Delivery[] = []
  for (let step = 0; step < 600; step++) {
    const path = `d${pick(5)}/f${pick(20)}`
    const owed = [rig.nas, rig.usb].filter(() => random() < 0.7)
    const kind = pick(6)
    if (kind <= 1) rig.journal.record([aPut(path, { size: pick(1000) })], () => owed)
    else if (kind === 2) rig.journal.record([aRemove(path)], () => owed)
    else if (kind === 3) open.push(...rig.journal.claim([rig.nas, rig.usb][pick(2)] ?? 0, pick(4)))
    else if (kind === 4) rig.journal.retry(rig.nas)
    const delivery = open.length > 6 ? open.shift() : undefined
    if (delivery === undefined) continue
    const outcomes = [
      delivered(delivery),
      { kind: 'postponed', delayMs: pick(20), reason: 'r', isCounted: true },
      { kind: 'parked', reason: 'r', againInMs: null },
      { kind: 'released' },
    ] as const
    await rig.journal.finish(delivery, outcomes[pick(4)] ?? { kind: 'released' })
  }

  const reader = new Database(rig.file, { readonly: true })
  const counted = reader
    .prepare('SELECT target_id, state, files, bytes FROM lane_count WHERE files <> 0 ORDER BY 1, 2')
    .all()
  const real = reader
    .prepare(
      `SELECT target_id, state, count(*) AS files, sum(bytes) AS bytes FROM delivery GROUP BY 1, 2
       UNION ALL SELECT target_id, 'delivered', count(*), sum(size) FROM receipt GROUP BY 1 ORDER BY 1, 2`,
    )
    .all()
  const sources = reader.prepare('SELECT files FROM source').all()
  const present = reader.prepare('SELECT count(*) AS files FROM file WHERE present = 1').all()
  reader.close()
  expect(counted, `seed ${seed}`).toEqual(real)
  expect(sources, `seed ${seed}`).toEqual(present)
})

describe('durability', () => {
  const writer = fileURLToPath(new URL('journal-writer.mjs', import.meta.url))

  test('F83: after kill -9 every receipt that was said to be kept is there, and every other change is still owed', async () => {
    const rig = aJournal()
    rig.journal.close()
    const child = spawn(process.execPath, [writer, rig.file], { stdio: ['ignore', 'pipe', 'inherit'] })
    let told = ''
    child.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()))
    while (told.split('\n').length < 200) await once(child.stdout, 'data')

    child.kill('SIGKILL')
    await once(child, 'close')

    const lines = told.split('\n').slice(0, -1)
    const recorded = lines.filter((line) => line.startsWith('recorded ')).map((line) => Number(line.slice(9)))
    const kept = lines.filter((line) => line.startsWith('kept ')).map((line) => line.slice(5))
    const reader = new Database(rig.file)
    const files = reader.prepare<[], { seq: number }>('SELECT seq FROM file').all()
    const receipts = new Set(
      reader.prepare<[], { path: string }>('SELECT path FROM receipt').pluck().all() as unknown as string[],
    )
    const open = reader.prepare('SELECT count(*) FROM delivery').pluck().get()
    reader.close()
    expect(kept.length).toBeGreaterThan(50)
    expect(files.length).toBeGreaterThanOrEqual(Math.max(...recorded))
    expect(kept.filter((path) => !receipts.has(path))).toEqual([])
    expect(Number(open) + receipts.size).toBe(files.length)
    rig.journal = openJournal(rig.file, systemClock).journal
  })
})

describe('receipts in doubt', () => {
  test('a crash between the copy and its receipt: what was owed then is looked at before it is believed', () => {
    const rig = aJournal()
    rig.journal.record([aPut('a')], () => [rig.nas])
    claimOne(rig)

    rig.reopen()

    expect(claimOne(rig).look).toBe('entry')
  })

  test('the doubt outlives a newer change of the file', () => {
    const rig = aJournal()
    rig.journal.record([aPut('a', { size: 1 })], () => [rig.nas])
    rig.reopen()

    rig.journal.record([aPut('a', { size: 2 })], () => [rig.nas])

    expect(claimOne(rig)).toMatchObject({ seq: 2, look: 'entry' })
  })

  test('a file that is removed while its delivery is in doubt leaves a look behind, which makes the receipt true', async () => {
    const rig = aJournal()
    rig.journal.record([aPut('a')], () => [rig.nas])
    const first = claimOne(rig)
    await rig.journal.finish(first, delivered(first, 'aa'.repeat(32)))
    rig.journal.record([aPut('a', { size: 11 })], () => [rig.nas])
    rig.reopen()
    rig.journal.record([aRemove('a')], () => [])
    const look = claimOne(rig)
    const receipt = { path: 'a', remoteId: '8', revision: 'r2', size: 11, sha256: 'bb'.repeat(32), mtimeNs: 5n }

    await rig.journal.finish(look, { kind: 'looked', receipt })

    expect(look.look).toBe('receipt')
    expect(rig.journal.receiptsOf(look.fileId).get('nas')).toMatchObject({ sha256: 'bb'.repeat(32), seq: 1 })
    expect(rig.journal.counts(rig.nas)).toMatchObject({ waiting: 0, delivered: 1 })
  })

  test('a failed attempt leaves doubt also to a newer change that came while it ran', async () => {
    const rig = aJournal()
    rig.journal.record([aPut('a', { size: 1 })], () => [rig.nas])
    const running = claimOne(rig)
    rig.journal.record([aPut('a', { size: 2 })], () => [rig.nas])

    await rig.journal.finish(running, { kind: 'postponed', delayMs: 1, reason: 'connection lost', isCounted: true })

    expect(claimOne(rig)).toMatchObject({ seq: 2, look: 'entry' })
  })

  test('a change that nobody tried is simply forgotten when its file goes', () => {
    const rig = aJournal()
    rig.journal.record([aPut('a')], () => [rig.nas])

    rig.journal.record([aRemove('a')], () => [])

    expect(rig.journal.counts(rig.nas).waiting).toBe(0)
  })
})
