/** Digests on demand: right, of one version of a file only, and each file read once for all who ask. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdtemp, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import {
  ContentChanged,
  ContentGone,
  type ContentRef,
  ContentUnreadable,
  type Digest,
  openDigest,
  wholeBytesMax,
} from '../../src/digest/digest.ts'
import { contentError } from '../../src/digest/errors.ts'

const MiB = 2 ** 20
const never = new AbortController().signal

let folder: string
let digest: Digest

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fanfold-digest-'))
  digest = await openDigest({ threads: 2, cacheBytesMax: 64 * MiB, log: silentLog, clock: systemClock })
})

afterEach(async () => {
  await digest.stop()
  await rm(folder, { recursive: true })
})

async function aFile(content: string | Uint8Array, name = 'file'): Promise<ContentRef> {
  await writeFile(join(folder, name), content)
  return refOf(name)
}

async function refOf(name: string): Promise<ContentRef> {
  const path = join(folder, name)
  const { size, mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true })
  return { key: name, path, size: Number(size), mtimeNs, ctimeNs, inode: ino }
}

/** What the engine cannot give up. */
function livingBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function sha256Of(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/** Bytes of which no two chunks are alike. */
function bytesOf(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at + 4 <= length; at += 1021) bytes.writeUInt32LE(at, at)
  return bytes
}

/** Root reads everything, so another process gives its rights up first; not before its thread runs, whose code nobody may read. */
const readingAsNobody = `
  import { statSync } from 'node:fs'
  import { openDigest } from '${new URL('../../dist/digest/digest.js', import.meta.url).href}'
  import { systemClock } from '${new URL('../../dist/base/clock.js', import.meta.url).href}'
  import { silentLog } from '${new URL('../../dist/base/log.js', import.meta.url).href}'
  const never = new AbortController().signal
  const refOf = (name) => {
    const path = process.argv[2] + '/' + name
    const { size, mtimeNs, ctimeNs, ino } = statSync(path, { bigint: true })
    return { key: name, path, size: Number(size), mtimeNs, ctimeNs, inode: ino }
  }
  const digest = await openDigest({ threads: 1, cacheBytesMax: 0, log: silentLog, clock: systemClock })
  await digest.of(refOf('warm'), never)
  if (process.getuid() === 0) process.setuid(65534)
  await digest.of(refOf('file'), never).catch((error) => console.log(error.name, error.errno, error.action))
  await digest.stop()
`

test.each([0, 1, 4096, wholeBytesMax, wholeBytesMax + 1, 8 * MiB, 20 * MiB + 3])(
  '%i bytes: sha256 and crc32 are those of the content',
  async (size) => {
    const bytes = bytesOf(size)

    const content = await digest.of(await aFile(bytes), never)

    expect(content.sha256).toBe(sha256Of(bytes))
    expect(content.crc32).toBe(crc32(bytes))
    if (size <= wholeBytesMax) expect(Buffer.from(content.bytes ?? []).equals(bytes)).toBe(true)
    else expect(content.bytes).toBeUndefined()
  },
)

test('F17: a path that is no UTF-8 is read', async () => {
  const ref = await aFile('bytes')
  const path = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff])])
  await rename(ref.path, path)
  const { ctimeNs } = await stat(path, { bigint: true })

  const content = await digest.of({ ...ref, path, ctimeNs }, never)

  expect(content.sha256).toBe(sha256Of(Buffer.from('bytes')))
})

test('many small files at once each get their own digest', async () => {
  const contents = Array.from({ length: 500 }, (_, n) => Buffer.from(`content ${n}`))
  const refs = await Promise.all(contents.map((content, n) => aFile(content, `f${n}`)))

  const digests = await Promise.all(refs.map((ref) => digest.of(ref, never)))

  expect(digests.map(({ sha256 }) => sha256)).toEqual(contents.map(sha256Of))
})

describe('only the version that was asked for', () => {
  test.each([10, 3 * MiB])('F23: a file of %i bytes that was written since is refused', async (size) => {
    const ref = await aFile(bytesOf(size))
    await aFile(bytesOf(size).reverse())

    await expect(digest.of(ref, never)).rejects.toThrow(ContentChanged)
  })

  test('F42: any difference in size, times or inode is a change', async () => {
    const ref = await aFile('content')
    const others = [{ size: 6 }, { size: 8 }, { mtimeNs: 1n }, { ctimeNs: 1n }, { inode: 1n }]

    for (const other of others) await expect(digest.of({ ...ref, ...other }, never)).rejects.toThrow(ContentChanged)
  })

  test('F23: a large file that is written while it is read is refused', async () => {
    const ref = await aFile(bytesOf(200 * MiB))

    const reading = digest.of(ref, never)
    await utimes(ref.path, 1, 1)

    await expect(reading).rejects.toThrow(ContentChanged)
  })

  test('a new version under the same key is another content', async () => {
    await digest.of(await aFile('old'), never)

    const content = await digest.of(await aFile('new'), never)

    expect(content.sha256).toBe(sha256Of(Buffer.from('new')))
  })
})

describe('what is no readable file', () => {
  test('a file that is gone is ContentGone', async () => {
    const ref = await aFile('x')
    await rm(ref.path)

    await expect(digest.of(ref, never)).rejects.toThrow(ContentGone)
  })

  test('F50: a link in its place is not followed', async () => {
    const ref = await aFile('x')
    await rename(ref.path, join(folder, 'real'))
    await symlink('real', ref.path)

    await expect(digest.of(ref, never)).rejects.toThrow(ContentGone)
  })

  test('F51: a FIFO or a socket in its place does not hang', async () => {
    const ref = await aFile('x')
    await rm(ref.path)
    await promisify(execFile)('mkfifo', [String(ref.path)])
    const socket = createServer().listen(join(folder, 'socket'))
    await new Promise((resolve) => socket.once('listening', resolve))

    await expect(digest.of(ref, never)).rejects.toThrow(ContentGone)
    await expect(digest.of({ ...ref, path: join(folder, 'socket') }, never)).rejects.toThrow(ContentGone)
    await new Promise((resolve) => socket.close(resolve))
  })

  test('a folder in its place is ContentGone', async () => {
    const ref = await aFile('x')

    await expect(digest.of({ ...ref, path: folder }, never)).rejects.toThrow(ContentGone)
  })

  test('F57: a file that may not be read is ContentUnreadable with its errno', async () => {
    const ref = await aFile('x')
    await aFile('warm', 'warm')
    await chmod(ref.path, 0)
    await chmod(folder, 0o755)
    const child = join(folder, 'child.mjs')
    await writeFile(child, readingAsNobody)

    const { stdout } = await promisify(execFile)(process.execPath, [child, folder])

    expect(stdout.trim()).toBe('ContentUnreadable EACCES ask-owner')
  })

  test('F57: what cannot be read says its errno, the next step and what happens', () => {
    const refused = contentError({ kind: 'unreadable', errno: 'EACCES' }, '/a/b')
    const faulty = contentError({ kind: 'unreadable', errno: 'EIO' }, '/a/b')

    expect(refused).toBeInstanceOf(ContentUnreadable)
    expect(refused.message).toMatch(/\/a\/b cannot be read \(EACCES\): .*fanfold retry/)
    expect([refused.action, faulty.action]).toEqual(['ask-owner', 'retry'])
  })
})

describe('reading once for all', () => {
  test('all who ask at the same time get the very same content', async () => {
    const ref = await aFile(bytesOf(3 * MiB))

    const contents = await Promise.all([1, 2, 3, 4].map(() => digest.of(ref, never)))

    expect(new Set(contents).size).toBe(1)
  })

  test('a later asker gets the kept content, even when the file is gone', async () => {
    const refs = [await aFile('small', 'small'), await aFile(bytesOf(2 * MiB), 'large')]
    const first = await Promise.all(refs.map((ref) => digest.of(ref, never)))
    for (const ref of refs) await rm(ref.path)

    const later = await Promise.all(refs.map((ref) => digest.of(ref, never)))

    expect(later).toEqual(first)
  })

  test('what is kept is bounded: the least recently used goes first', async () => {
    await digest.stop()
    digest = await openDigest({ threads: 1, cacheBytesMax: 3 * wholeBytesMax, log: silentLog, clock: systemClock })
    const refs = []
    for (const name of ['a', 'b', 'c', 'd']) refs.push(await aFile(bytesOf(wholeBytesMax - 4096), name))
    const [a, b, c, d] = refs
    if (a === undefined || b === undefined || c === undefined || d === undefined) throw new Error('no files')
    for (const ref of [a, b, c, a, d]) await digest.of(ref, never)
    for (const ref of refs) await rm(ref.path)

    const kept = await Promise.allSettled(refs.map((ref) => digest.of(ref, never)))

    expect(kept.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
  })

  test('A19: what is kept of tiny files costs no more memory than it may, however many there are', async () => {
    await digest.stop()
    const cacheBytesMax = 8 * MiB
    digest = await openDigest({ threads: 1, cacheBytesMax, log: silentLog, clock: systemClock })
    const ref = await aFile('tiny')
    const others = async (from: number, to: number): Promise<void> => {
      for (let at = from; at < to; at += 500)
        await Promise.all(
          Array.from({ length: 500 }, (_, n) => digest.of({ ...ref, key: `folder/of many/f${at + n}` }, never)),
        )
    }
    await others(0, 1000)
    const before = livingBytes()

    await others(1000, 21_000)

    expect(livingBytes() - before).toBeLessThan(cacheBytesMax / 2)
  })

  test.each([100, 300 * MiB])('one caller giving up does not fail the others (%i bytes)', async (size) => {
    const ref = await aFile(bytesOf(size))
    const abort = new AbortController()

    const given = digest.of(ref, abort.signal)
    const kept = digest.of(ref, never)
    abort.abort(new Error('enough'))

    await expect(given).rejects.toThrow('enough')
    expect((await kept).sha256).toMatch(/^[0-9a-f]{64}$/)
  })

  test('when all gave up, a later asker begins anew', async () => {
    const ref = await aFile(bytesOf(100 * MiB))
    const abort = new AbortController()
    const given = [digest.of(ref, abort.signal), digest.of(ref, abort.signal)]
    abort.abort(new Error('enough'))
    await Promise.allSettled(given)

    const content = await digest.of(ref, never)

    expect(content.crc32).toBe(crc32(bytesOf(100 * MiB)))
  })

  test('a failure is not kept: asked again, the file is read again', async () => {
    const ref = await aFile('x')
    await rename(ref.path, join(folder, 'aside'))
    await expect(digest.of(ref, never)).rejects.toThrow(ContentGone)
    await rename(join(folder, 'aside'), ref.path)

    const content = await digest.of(await refOf('file'), never)

    expect(content.sha256).toBe(sha256Of(Buffer.from('x')))
  })
})

test('F72, F101: while a large file is digested, small ones pass and the main loop is free', async () => {
  const large = await aFile(bytesOf(400 * MiB), 'large')
  const smalls = await Promise.all(Array.from({ length: 50 }, (_, n) => aFile(`small ${n}`, `s${n}`)))
  await digest.of(await aFile('warm'), never)
  const ended: string[] = []
  const lag = monitorEventLoopDelay({ resolution: 5 })
  lag.enable()

  const reading = digest.of(large, never).then(() => ended.push('large'))
  await Promise.all(smalls.map((ref) => digest.of(ref, never)))
  ended.push('small')
  await reading
  lag.disable()

  expect(ended).toEqual(['small', 'large'])
  expect(lag.percentile(90) / 1e6).toBeLessThan(50)
})

test('stopping rejects who waits', async () => {
  const reading = digest.of(await aFile(bytesOf(300 * MiB)), never)
  const outcome = reading.then(
    () => 'read',
    () => 'rejected',
  )

  await digest.stop()

  expect(await outcome).toBe('rejected')
})
