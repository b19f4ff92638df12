/** Digest threads as children of a supervisor: one that dies is replaced alone, and its work is rejected as something to try again. */
import { mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { type Content, type ContentRef, type Digest, DigestThreadLost, openDigest } from '../../src/digest/digest.ts'
import { startedThreads } from '../started-threads.ts'

/** Large enough to be under way when its thread is killed; holes are read as zeros. */
const longBytes = 150 * 2 ** 20
const never = new AbortController().signal

let folder: string
let digest: Digest

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fanfold-digest-'))
})

afterEach(async () => {
  await digest.stop()
  await rm(folder, { recursive: true })
})

async function opened(threads: number): Promise<void> {
  digest = await openDigest({ threads, cacheBytesMax: 0, log: silentLog, clock: systemClock })
}

async function aFile(name: string, bytes = 4): Promise<ContentRef> {
  const path = join(folder, name)
  await writeFile(path, '')
  await truncate(path, bytes)
  const { size, mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true })
  return { key: name, path, size: Number(size), mtimeNs, ctimeNs, inode: ino }
}

function outcomeOf(reading: Promise<Content>): Promise<unknown> {
  return reading.then(
    () => 'read',
    (thrown: unknown) => thrown,
  )
}

async function untilStarted(threads: readonly unknown[], count: number): Promise<void> {
  while (threads.length < count) await systemClock.sleep(1, never)
}

test('the reading of a killed thread is rejected as something to try again, the one of the other thread goes on', async () => {
  const threads = startedThreads()
  await opened(2)
  const readings = [await aFile('a', longBytes), await aFile('b', longBytes)].map((ref) => digest.of(ref, never))
  const outcomes = readings.map(outcomeOf)
  await untilStarted(threads, 2)

  await threads[0]?.terminate()

  const [lost, kept] = await Promise.all(outcomes)
  expect(lost).toBeInstanceOf(DigestThreadLost)
  expect(lost).toMatchObject({ action: 'retry' })
  expect(kept).toBe('read')
})

test('a killed thread is replaced alone: the same file can be read again at once', async () => {
  const threads = startedThreads()
  await opened(2)
  const refs = [await aFile('a', longBytes), await aFile('b', longBytes)]
  const outcomes = refs.map((ref) => outcomeOf(digest.of(ref, never)))
  await untilStarted(threads, 2)
  await threads[0]?.terminate()
  await outcomes[0]

  const again = await Promise.all(refs.map((ref) => outcomeOf(digest.of(ref, never))))

  expect(again).toEqual(['read', 'read'])
  expect(threads.length).toBe(3)
})

test('small files read on while one thread is dead, and after it was killed while idle', async () => {
  const threads = startedThreads()
  await opened(1)
  await digest.of(await aFile('warm'), never)

  await threads[0]?.terminate()
  const outcomes = await Promise.all([1, 2, 3].map(async (n) => outcomeOf(digest.of(await aFile(`f${n}`), never))))

  expect(outcomes).toEqual(['read', 'read', 'read'])
  expect(threads.length).toBe(2)
})

test('one that dies again is replaced after a pause; who asks meanwhile for a small file waits for it', async () => {
  const threads = startedThreads()
  await opened(1)
  for (let life = 0; life < 2; life++) {
    await digest.of(await aFile(`warm ${life}`), never)
    await threads[life]?.terminate()
  }
  const startMs = systemClock.monotonicMs()

  const outcome = await outcomeOf(digest.of(await aFile('file'), never))

  expect(outcome).toBe('read')
  expect(systemClock.monotonicMs() - startMs).toBeGreaterThan(500)
})

test('stopping does not wait for the pause of a thread that died again', async () => {
  const threads = startedThreads()
  await opened(1)
  for (let life = 0; life < 2; life++) {
    await digest.of(await aFile(`warm ${life}`), never)
    await threads[life]?.terminate()
  }
  const waiting = outcomeOf(digest.of(await aFile('file'), never))
  const startMs = systemClock.monotonicMs()

  await digest.stop()

  expect(systemClock.monotonicMs() - startMs).toBeLessThan(500)
  expect(await waiting).toBeInstanceOf(Error)
})
