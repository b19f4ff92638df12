/** A thread that comes with the first call and goes when nobody needs it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { IdleThread } from '../../src/base/idle-thread.ts'
import { silentLog } from '../../src/base/log.ts'
import { startThread, type Thread } from '../../src/base/thread.ts'

type Verbs = {
  count: { in: undefined; out: number }
  hang: { in: { readonly ms: number }; out: undefined }
  die: { in: undefined; out: undefined }
}

const code = `
  import { serveThread } from '${new URL('../../dist/base/thread.js', import.meta.url).href}'
  let count = 0
  serveThread({
    count: () => ++count,
    hang: ({ ms }) => { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms) },
    die: () => process.exit(3),
  })
`

let folder: string
/** What was asked to happen after a while: the fake clock's only hand. */
let due: (() => void)[]
let started: Thread<Verbs>[]
let thread: IdleThread<Verbs>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fanfold-thread-'))
  await writeFile(join(folder, 'thread.mjs'), code)
})

afterAll(() => rm(folder, { recursive: true }))

beforeEach(() => {
  due = []
  started = []
  const after: Clock['after'] = (_, work) => {
    due.push(work)
    return { clear: () => (due = due.filter((other) => other !== work)) }
  }
  const url = pathToFileURL(join(folder, 'thread.mjs'))
  thread = new IdleThread(
    () => {
      const running = startThread<Verbs>(url, { name: 'test' })
      started.push(running)
      return running
    },
    { clock: { ...systemClock, after }, log: silentLog },
  )
})

afterEach(() => thread.stop())

function timePasses(): void {
  for (const work of due.splice(0)) work()
}

test('starts with the first call and stays for the next', async () => {
  expect(started.length).toBe(0)

  const counts = [await thread.call('count', undefined), await thread.call('count', undefined)]

  expect(counts).toEqual([1, 2])
  expect(started.length).toBe(1)
})

test('ends after a time without work, and the next call starts another', async () => {
  await thread.call('count', undefined)

  timePasses()
  await started[0]?.ended

  expect(await thread.call('count', undefined)).toBe(1)
  expect(started.length).toBe(2)
})

test('does not end while somebody holds it', async () => {
  const release = thread.hold()
  await thread.call('count', undefined)

  timePasses()

  expect(await thread.call('count', undefined)).toBe(2)
  release()
  expect(due.length).toBe(1)
})

test('an abort rejects at once, even while the thread hangs, and what is asked later comes after', async () => {
  await thread.call('count', undefined)
  const abort = new AbortController()
  const hanging = thread.call('hang', { ms: 500 }, abort.signal)
  const startMs = performance.now()

  abort.abort(new Error('enough'))

  await expect(hanging).rejects.toThrow('enough')
  expect(performance.now() - startMs).toBeLessThan(250)
  expect(await thread.call('count', undefined)).toBe(2)
})

test('a thread that dies rejects what it was asked, and the next call starts another', async () => {
  await expect(thread.call('die', undefined)).rejects.toThrow('ended with code 3')

  expect(await thread.call('count', undefined)).toBe(1)
})

test('stopped, it rejects what waits and takes no more', async () => {
  const waiting = thread.call('hang', { ms: 100 }).then(
    () => 'answered',
    () => 'rejected',
  )

  await thread.stop()

  expect(await waiting).toBe('rejected')
  await expect(thread.call('count', undefined)).rejects.toThrow('stopped')
})
