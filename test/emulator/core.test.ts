/** What all emulators stand on: hashes, bytes on disk, the clock, the control addresses, and speed. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ByteStore } from './core/bytes.ts'
import { MovableClock } from './core/clock.ts'
import { hasherOf, hashOf } from './core/hashes.ts'
import { aDropbox, ascii, type Rig } from './dropbox-rig.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fanfold-emulator-core-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('hashes', () => {
  const mib4 = 4 * 1024 * 1024

  test.each([
    ['dropbox', '', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['dropbox', '\0'.repeat(mib4), 'c7e946d101855255d919ef0c70718633adf77d3dfb3adeeecf5d0cb4e951be58'],
    ['dropbox', '\0'.repeat(mib4 + 1), '14a4d47f23a30177885d9820122f17d2d3a55fe63f7f5c27b95f689e0b2accd6'],
    ['quickxor', '', 'AAAAAAAAAAAAAAAAAAAAAAAAAAA='],
    ['quickxor', 'J', 'SgAAAAAAAAAAAAAAAQAAAAAAAAA='],
    ['md5', '', 'd41d8cd98f00b204e9800998ecf8427e'],
    ['sha1', '', 'da39a3ee5e6b4b0d3255bfef95601890afd80709'],
  ] as const)('%s of a known text is right', (kind, text, hash) => {
    expect(hashOf(kind, text)).toBe(hash)
  })

  test.each(['dropbox', 'quickxor', 'sha256'] as const)('%s does not depend on the pieces, nor on copies', (kind) => {
    const content = randomBytes(9_000_001)
    const hasher = hasherOf(kind)
    for (let at = 0; at < content.length; at += 777_777) {
      hasher.copy().update(Buffer.from('elsewhere'))
      hasher.update(content.subarray(at, at + 777_777))
      hasher.digest()
    }

    expect(hasher.digest()).toBe(hashOf(kind, content))
  })
})

describe('bytes', () => {
  test('are hashed while they come, and read back by ranges', async () => {
    const store = new ByteStore(folder, ['sha256', 'md5'])
    const draft = store.draft()
    draft.append(Buffer.from('abc'))
    draft.append(Buffer.from('def'))

    const bytes = draft.seal()

    expect(bytes.size).toBe(6)
    expect(bytes.hashes.sha256).toBe(createHash('sha256').update('abcdef').digest('hex'))
    expect(Buffer.concat(await store.read(bytes, 2, 5).toArray()).toString()).toBe('cde')
  })

  test('go back to a mark', () => {
    const store = new ByteStore(folder, ['sha256'])
    const draft = store.draft()
    draft.append(Buffer.from('good'))
    const back = draft.mark()
    draft.append(Buffer.from('bad'))

    back()
    draft.append(Buffer.from(' end'))

    const bytes = draft.seal()
    expect(store.readWhole(bytes).toString()).toBe('good end')
    expect(bytes.hashes.sha256).toBe(hashOf('sha256', 'good end'))
  })

  test('may come in any order', () => {
    const store = new ByteStore(folder, ['sha256'])
    const draft = store.draft()
    draft.place(Buffer.from('def'), 3)
    draft.place(Buffer.from('abc'), 0)

    expect(draft.sealAt(6).hashes.sha256).toBe(hashOf('sha256', 'abcdef'))
  })
})

describe('clock', () => {
  test('a move wakes who waits for a time that has come', async () => {
    const clock = new MovableClock()
    const before = clock.nowMs()
    const sleeping = clock.sleep(7 * 24 * 3600 * 1000, new AbortController().signal)

    clock.advance(7 * 24 * 3600 * 1000)

    await sleeping
    expect(clock.nowMs() - before).toBeGreaterThanOrEqual(7 * 24 * 3600 * 1000)
  })
})

describe('control', () => {
  const ask = async (rig: Rig, method: string, path: string, body?: unknown): Promise<unknown> => {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) }
    const reply = await rig.raw(`/_emulator/${path}`, init)
    return reply.body ?? `${reply.status} ${reply.bytes.toString()}`
  }

  test('arms, tells and takes away faults', async () => {
    const rig = await aDropbox()
    const script = { route: 'files/upload', count: 'all', fault: { do: 'refuse', name: 'unavailable' } }

    expect(await ask(rig, 'POST', 'faults', [script])).toEqual({ armed: 1 })
    expect((await rig.put('/a', 'x')).status).toBe(503)
    expect(await ask(rig, 'GET', 'faults')).toEqual([{ route: 'files/upload', fault: 'refuse', struck: 1 }])
    await ask(rig, 'DELETE', 'faults')
    expect((await rig.put('/a', 'x')).status).toBe(200)
  })

  test('says what is wrong with a script', async () => {
    const rig = await aDropbox()

    expect(await ask(rig, 'POST', 'faults', { fault: { do: 'nonsense' } })).toMatch(/^400 .*fault/s)
    expect(await ask(rig, 'POST', 'faults', { fault: { do: 'refuse', name: 'x' } })).toMatch(/no refusal "x"/)
    expect(await ask(rig, 'GET', 'nonsense')).toMatch(/^404 .*GET requests/s)
  })

  test('moves the clock, ends tokens and gives new ones', async () => {
    const rig = await aDropbox()

    await ask(rig, 'POST', 'clock', { advanceMs: 5 * 3600 * 1000 })
    expect((await rig.put('/a', 'x')).status).toBe(401)
    const login = (await ask(rig, 'POST', 'tokens', { do: 'login' })) as { readonly accessToken: string }
    const fresh = { Authorization: `Bearer ${login.accessToken}` }
    expect((await rig.content('files/upload', { path: '/a' }, 'x', fresh)).status).toBe(200)
    await ask(rig, 'POST', 'tokens', { do: 'revoke' })
    expect((await rig.content('files/upload', { path: '/a' }, 'x', fresh)).status).toBe(401)
  })

  test('shows requests, and objects as their owner sees them', async () => {
    const rig = await aDropbox()
    await rig.put('/a', 'x')

    expect(await ask(rig, 'GET', 'requests')).toMatchObject({
      records: [{ route: 'files/upload', status: 200, requestBytes: 1 }],
      routes: { 'files/upload': { requests: 1, peak: 1 } },
      failures: [],
    })
    await rig.raw('/_emulator/object?path=/b', { method: 'PUT', body: 'by hand' })
    expect(await ask(rig, 'GET', 'objects')).toMatchObject([{ path: '/a' }, { path: '/b', size: 7 }])
    expect((await rig.raw('/_emulator/object?path=/b')).bytes.toString()).toBe('by hand')
    await ask(rig, 'DELETE', 'object?path=/b')
    expect(await ask(rig, 'GET', 'objects')).toMatchObject([{ path: '/a' }])
  })

  test('turns switches and sets the pace', async () => {
    const rig = await aDropbox()

    await ask(rig, 'POST', 'settings', { quotaBytes: 1 })
    expect((await rig.put('/a', 'xx')).status).toBe(409)
    await ask(rig, 'POST', 'settings', { quotaBytes: 1000 })
    await ask(rig, 'POST', 'pace', { latencyMs: 100, bytesPerSecond: null })
    const startMs = performance.now()
    expect((await rig.put('/a', 'xx')).status).toBe(200)
    expect(performance.now() - startMs).toBeGreaterThan(90)
  })
})

test('an outage ends where it began: same port, same objects', async () => {
  const rig = await aDropbox()
  await rig.put('/a', 'x')

  await rig.emulator.stop()
  await expect(rig.put('/b', 'y')).rejects.toThrow()
  await rig.emulator.start()

  expect((await rig.content('files/download', { path: '/a' })).bytes.toString()).toBe('x')
})

describe('speed', () => {
  // What counts is the time of this process, client included: the clock on the wall also counts who else uses the machine.
  test('a small request costs less than 2 ms', async () => {
    const rig = await aDropbox()
    const agent = new Agent({ keepAlive: true, maxSockets: 8 })
    const count = 1000
    const before = process.cpuUsage()

    await Promise.all(
      Array.from({ length: count }, (_, index) => post(rig, agent, `/f/${index}`, Readable.from(['x']))),
    )

    agent.destroy()
    expect(cpuMsSince(before) / count).toBeLessThan(2)
  })

  test('large bodies cost less than 10 ms for each MB, in flat memory', async () => {
    const rig = await aDropbox()
    const agent = new Agent()
    const bytes = 140 * 1024 * 1024
    const beforeBytes = process.memoryUsage().rss
    const before = process.cpuUsage()

    for (const name of ['/a', '/b']) await post(rig, agent, name, zeros(bytes))

    expect(cpuMsSince(before) / ((2 * bytes) / 1e6)).toBeLessThan(10)
    const grownBytes = process.memoryUsage().rss - beforeBytes
    expect(grownBytes, `${(grownBytes / 1e6).toFixed(0)} MB`).toBeLessThan(150e6)
  })
})

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

function* pieces(bytes: number): Generator<Buffer> {
  const piece = Buffer.alloc(256 * 1024)
  for (let left = bytes; left > 0; left -= piece.length) yield piece.subarray(0, Math.min(left, piece.length))
}

function zeros(bytes: number): Readable {
  return Readable.from(pieces(bytes), { objectMode: false })
}

function post(rig: Rig, agent: Agent, path: string, body: Readable): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${rig.emulator.url}/2/files/upload`, {
      method: 'POST',
      agent,
      headers: { Authorization: `Bearer ${rig.accessToken}`, 'Dropbox-API-Arg': ascii({ path, mode: 'overwrite' }) },
    })
    sent.on('error', reject)
    sent.on('response', (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode))
    })
    body.pipe(sent)
  })
}
