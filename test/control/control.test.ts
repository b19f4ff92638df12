/** The control socket as its users meet it: who may connect, what is answered, what is refused. */
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer, request, type IncomingMessage } from 'node:http'
import { connect as connectRaw, createServer as createRawServer } from 'node:net'
import { tmpdir } from 'node:os'
import { text } from 'node:stream/consumers'
import { join } from 'node:path'
import { execFile, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock, type Clock } from '../../src/base/clock.ts'
import { silentLog, type Log } from '../../src/base/log.ts'
import { connect, DeskFailed, NotRunning } from '../../src/control/client.ts'
import { AskError, serveDesk, type Desk, type Status } from '../../src/control/control.ts'
import { ManualClock } from '../manual-clock.ts'
import { aLane, aStatus, aWanted, smallDesk } from './small-desk.ts'

const never = new AbortController().signal

async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fanfold-control-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function served(desk: Desk, clock: Clock = systemClock, log: Log = silentLog): Promise<string> {
  const path = join(await tempFolder(), 'control.sock')
  const server = await serveDesk(desk, path, { clock, log })
  onTestFinished(() => server.close())
  return path
}

interface RawQuestion {
  readonly method?: string
  readonly path: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What a stranger with a plain HTTP client gets. */
async function askRaw(socketPath: string, question: RawQuestion): Promise<{ status: number; body: unknown }> {
  const asking = request({ socketPath, method: 'GET', ...question })
  // A refusal may come while the body is still being sent.
  asking.on('error', () => {})
  asking.end(question.body)
  const [answer] = (await once(asking, 'response')) as [IncomingMessage]
  let text = ''
  for await (const part of answer) text += String(part)
  return { status: answer.statusCode ?? 0, body: JSON.parse(text) as unknown }
}

async function until(claim: () => boolean): Promise<void> {
  while (!claim()) await new Promise((resolve) => setImmediate(resolve))
}

test('every verb reaches the desk and its answer comes back as it is', async () => {
  const desk = smallDesk(aStatus({ healthy: false, oldestMs: 1500 }))
  const client = await connect(await served(desk), never)
  const order = { targets: ['nas'], source: 'papers', glob: '**/*.pdf', verify: true }

  expect(await client.status(never)).toEqual(desk.now)
  expect(await client.resync(order, never)).toEqual({ offered: [{ target: 'nas', files: 3 }] })
  expect(await client.retry(['nas'], never)).toEqual({ retried: 2 })
  expect(await client.why('a.txt', never)).toEqual(desk.why('a.txt'))
  expect(await client.history('a.txt', 7, never)).toEqual(desk.history('a.txt', 7))
  expect(await client.history(null, 7, never)).toEqual(desk.history(null, 7))

  expect(desk.asked.slice(0, 4)).toEqual(['status', order, ['nas'], 'a.txt'])
})

test('F17: names that are no UTF-8, or hard to write in a URL, cross both ways', async () => {
  const client = await connect(await served(smallDesk()), never)
  const names = ['caf\udce9.txt', 'a b+c%41&path=x?#ä.txt', '東京/🎏', 'new\nline']

  for (const name of names) {
    const [verdict] = await client.why(name, never)
    expect(verdict?.path).toBe(name)
  }
})

test('F117: the socket is for its owner and group only, whatever the umask', async () => {
  const before = process.umask(0)
  onTestFinished(() => void process.umask(before))

  const path = await served(smallDesk())

  expect(((await stat(path)).mode & 0o777).toString(8)).toBe('660')
  expect((await stat(path)).isSocket()).toBe(true)
})

test('nothing but the socket is left in its folder, and nothing after closing', async () => {
  const folder = await tempFolder()
  await mkdir(join(folder, '.control-fromacrash'))
  const server = await serveDesk(smallDesk(), join(folder, 'control.sock'), { clock: systemClock, log: silentLog })

  const during = await readdir(folder)
  await server.close()

  expect(during).toEqual(['control.sock'])
  expect(await readdir(folder)).toEqual([])
})

test('a socket that a killed daemon left is replaced', async () => {
  const path = join(await tempFolder(), 'control.sock')
  await leaveDeadSocket(path)

  const server = await serveDesk(smallDesk(), path, { clock: systemClock, log: silentLog })
  onTestFinished(() => server.close())

  expect(await (await connect(path, never)).status(never)).toEqual(aStatus())
})

/** A process that listens there and is killed. */
async function leaveDeadSocket(path: string): Promise<void> {
  const code = `require('node:net').createServer().listen(process.argv[1], () => process.send('listening'))`
  const script = `${path}.cjs`
  await writeFile(script, code.replace('process.argv[1]', 'process.argv[2]'))
  const child = fork(script, [path], { execArgv: [] })
  await once(child, 'message')
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect((await stat(path)).isSocket()).toBe(true)
}

test('F89: a living socket is never replaced', async () => {
  const first = smallDesk()
  const path = await served(first)

  const second = serveDesk(smallDesk(), path, { clock: systemClock, log: silentLog })

  await expect(second).rejects.toThrow(`another daemon answers at ${path}; stop it first`)
  await (await connect(path, never)).status(never)
  expect(first.asked).toEqual(['status'])
})

test('a file of somebody else in the way is left alone', async () => {
  const path = join(await tempFolder(), 'control.sock')
  await writeFile(path, 'mine')

  const serving = serveDesk(smallDesk(), path, { clock: systemClock, log: silentLog })

  await expect(serving).rejects.toThrow(`${path} is in the way and is no socket; move it away`)
  expect((await stat(path)).size).toBe(4)
})

test('closing leaves a socket alone that has taken our place', async () => {
  const path = join(await tempFolder(), 'control.sock')
  const first = await serveDesk(smallDesk(), path, { clock: systemClock, log: silentLog })
  await rm(path)
  const second = await serveDesk(smallDesk(), path, { clock: systemClock, log: silentLog })
  onTestFinished(() => second.close())

  await first.close()

  expect(await (await connect(path, never)).status(never)).toEqual(aStatus())
})

test('a path longer than a socket address works on both sides', async () => {
  const folder = join(await tempFolder(), 'long'.repeat(40))
  await mkdir(folder)
  const path = join(folder, 'control.sock')
  const server = await serveDesk(smallDesk(), path, { clock: systemClock, log: silentLog })

  const answer = await (await connect(path, never)).status(never)
  await server.close()

  expect(answer).toEqual(aStatus())
  expect(await readdir(folder)).toEqual([])
})

test('a body above 64 KiB is refused, announced or not', async () => {
  const desk = smallDesk()
  const path = await served(desk)
  const body = JSON.stringify({ targets: ['x'.repeat(64 * 1024)] })
  const refusal = { status: 413, body: { error: 'a question has at most 65536 bytes' } }

  const announced = await askRaw(path, { method: 'POST', path: '/retry', body })
  const chunked = await askRaw(path, {
    method: 'POST',
    path: '/retry',
    body,
    headers: { 'transfer-encoding': 'chunked' },
  })

  expect(announced).toEqual(refusal)
  expect(chunked).toEqual(refusal)
  expect(desk.asked).toEqual([])
})

test('a body that is no JSON, or of another shape, is refused with its place', async () => {
  const path = await served(smallDesk())
  const post = (body: string) => askRaw(path, { method: 'POST', path: '/resync', body })

  expect(await post('{')).toEqual({ status: 400, body: { error: 'expected a body of JSON' } })
  expect(await post('{"targets":[1]}')).toEqual({
    status: 400,
    body: { error: 'targets.0: Invalid input: expected string, received number' },
  })
  expect(await post('{"tragets":[]}')).toEqual({ status: 400, body: { error: 'body: Unrecognized key: "tragets"' } })
})

test('an empty body asks for all', async () => {
  const desk = smallDesk()
  const path = await served(desk)

  await askRaw(path, { method: 'POST', path: '/resync' })

  expect(desk.asked).toEqual([{ targets: [], source: null, glob: null, verify: false }])
})

test('questions that do not exist, or lack something, are refused', async () => {
  const path = await served(smallDesk())

  expect(await askRaw(path, { path: '/nothing' })).toEqual({
    status: 404,
    body: { error: 'no such question: GET /nothing' },
  })
  expect(await askRaw(path, { path: '/retry' })).toEqual({
    status: 404,
    body: { error: 'no such question: GET /retry' },
  })
  expect(await askRaw(path, { path: '/why' })).toEqual({ status: 400, body: { error: 'expected a path: /why?path=…' } })
  expect(await askRaw(path, { path: '/history?limit=0' })).toEqual({
    status: 400,
    body: { error: 'limit: expected a whole number from 1 to 10000, got 0' },
  })
})

test('a name that does not exist comes back as the question’s fault, with the names there are', async () => {
  const client = await connect(await served(smallDesk()), never)

  const asking = client.resync({ targets: ['nowhere'], source: null, glob: null, verify: false }, never)

  await expect(asking).rejects.toThrow(new AskError('there is no target "nowhere"; known here: nas'))
  await expect(asking).rejects.toBeInstanceOf(AskError)
})

test('a desk that fails comes back as the daemon’s fault, and goes on answering', async () => {
  const client = await connect(await served(smallDesk()), never)

  const asking = client.retry(['broken'], never)

  await expect(asking).rejects.toThrow('the daemon could not answer: the journal is on fire')
  await expect(asking).rejects.toBeInstanceOf(DeskFailed)
  expect(await client.retry([], never)).toEqual({ retried: 2 })
})

test('without a daemon the client says how to start one', async () => {
  const folder = await tempFolder()
  const dead = join(folder, 'dead.sock')
  await leaveDeadSocket(dead)

  for (const path of [join(folder, 'none.sock'), dead]) {
    const connecting = connect(path, never)
    await expect(connecting).rejects.toThrow(`no daemon runs at ${path}; start it with "fanfold run"`)
    await expect(connecting).rejects.toBeInstanceOf(NotRunning)
  }
})

test('without permission the client says what to do', async () => {
  const path = await served(smallDesk())
  await chmod(join(path, '..'), 0o755)
  await chmod(path, 0)
  const asker = fileURLToPath(new URL('asker.mjs', import.meta.url))
  // What root may do proves nothing: a process of another user asks.
  const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

  const { stdout } = await promisify(execFile)(process.execPath, [asker, path], user)

  expect(stdout).toContain(`no permission to ask the daemon at ${path}`)
})

test('a daemon of another version is named as such', async () => {
  const folder = await tempFolder()
  const path = join(folder, 'other.sock')
  const other = createServer((_, answer) => answer.writeHead(200, { 'fanfold-api': '7' }).end('{}'))
  other.listen(path)
  await once(other, 'listening')
  onTestFinished(() => void other.close())

  await expect(connect(path, never)).rejects.toThrow(
    'the running daemon speaks version 7 of the control protocol, this command version 1; restart the daemon after an upgrade',
  )
})

test('an answer of an unknown shape is not misread', async () => {
  const desk = smallDesk()
  const client = await connect(await served(desk), never)
  desk.now = { healthy: 'yes' } as unknown as Status

  await expect(client.status(never)).rejects.toThrow(
    'the running daemon gave an answer that this version does not know',
  )
})

test('somebody who is no daemon and says nothing is given up on abort', async () => {
  const path = join(await tempFolder(), 'mute.sock')
  const mute = createRawServer(() => {})
  mute.listen(path)
  await once(mute, 'listening')
  onTestFinished(() => void mute.close())
  const stop = new AbortController()

  const connecting = connect(path, stop.signal)
  stop.abort(new Error('enough'))

  await expect(connecting).rejects.toThrow('enough')
})

test('a symlink to the socket leads to it', async () => {
  const path = await served(smallDesk())
  const door = join(await tempFolder(), 'door.sock')
  await symlink(path, door)

  expect(await (await connect(door, never)).status(never)).toEqual(aStatus())
})

test('the stream gives a status at once and then one per 500 ms', async () => {
  const clock = new ManualClock()
  const desk = smallDesk()
  const client = await connect(await served(desk, clock), never)
  const frames = client.watch(never)[Symbol.asyncIterator]()

  const first = await frames.next()
  desk.now = aStatus({ oldestMs: 500 })
  const pending = frames.next()
  await until(() => clock.timerCount === 1)
  clock.advance(499)
  const askedEarly = desk.asked.length
  await settleReads()
  clock.advance(1)
  const second = await pending
  await frames.return?.()

  expect(askedEarly).toBe(1)
  expect([first.value, second.value]).toEqual([aStatus(), aStatus({ oldestMs: 500 })])
})

/** A few turns of the loop, in which the server's side of a stream reads on. */
async function settleReads(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
}

test('the desk is looked at once for all who listen, and never while nobody does', async () => {
  const clock = new ManualClock()
  const desk = smallDesk()
  const client = await connect(await served(desk, clock), never)
  const one = client.watch(never)[Symbol.asyncIterator]()
  const other = client.watch(never)[Symbol.asyncIterator]()
  await one.next()
  await other.next()
  await settleReads()

  clock.advance(500)
  await Promise.all([one.next(), other.next()])
  const lookedWhileTwo = desk.asked.length
  await one.return?.()
  await other.return?.()
  await until(() => clock.timerCount === 0)
  clock.advance(5000)

  expect(lookedWhileTwo).toBe(3)
  expect(desk.asked).toHaveLength(3)
})

test('an abort ends the stream without error', async () => {
  const clock = new ManualClock()
  const client = await connect(await served(smallDesk(), clock), never)
  const stop = new AbortController()
  const seen: Status[] = []

  for await (const status of client.watch(stop.signal)) {
    seen.push(status)
    stop.abort()
  }

  expect(seen).toHaveLength(1)
  await until(() => clock.timerCount === 0)
})

test('the daemon’s end ends the stream without error', async () => {
  const path = join(await tempFolder(), 'control.sock')
  const server = await serveDesk(smallDesk(), path, { clock: new ManualClock(), log: silentLog })
  const frames = (await connect(path, never)).watch(never)[Symbol.asyncIterator]()
  await frames.next()

  const [, end] = await Promise.all([server.close(), frames.next()])

  expect(end.done).toBe(true)
})

test('a listener that stops reading is dropped after 10 s; others stay', async () => {
  const clock = new ManualClock()
  const lanes = Array.from({ length: 2000 }, (_, at) => aLane({ name: `lane-${at}` }))
  const desk = smallDesk(aStatus({ targets: lanes }))
  const logged: string[] = []
  const path = await served(desk, clock, { ...silentLog, info: (event) => logged.push(event) })
  const stuck = connectRaw(path)
  stuck.on('error', () => {})
  stuck.pause()
  stuck.write('GET /status/stream HTTP/1.1\r\nhost: fanfold\r\n\r\n')
  await until(() => desk.asked.length === 1)
  const stop = new AbortController()
  let framesRead = 0
  const reading = readAll(path, stop.signal, () => framesRead++)

  while (logged.length === 0) {
    await settleReads()
    clock.advance(500)
  }
  const readBefore = framesRead
  while (framesRead < readBefore + 3) {
    await settleReads()
    clock.advance(500)
  }

  const closed = once(stuck, 'close')
  stuck.resume()
  await closed
  stop.abort()
  await reading
  expect(logged).toEqual(['status listener dropped'])
  expect(clock.monotonicMs()).toBeGreaterThanOrEqual(10_000)
})

async function readAll(path: string, signal: AbortSignal, onFrame: () => void): Promise<void> {
  const client = await connect(path, never)
  for await (const status of client.watch(signal)) if (status.healthy) onFrame()
}

test('the seventeenth listener is refused', async () => {
  const client = await connect(await served(smallDesk(), new ManualClock()), never)
  const listeners = Array.from({ length: 16 }, () => client.watch(new AbortController().signal)[Symbol.asyncIterator]())
  await Promise.all(listeners.map((listener) => listener.next()))

  const refused = client.watch(never)[Symbol.asyncIterator]().next()

  await expect(refused).rejects.toThrow('too many listen to the status already')
  await Promise.all(listeners.map((listener) => listener.return?.() ?? Promise.resolve()))
})

test('what can be had back crosses the socket as it is, and so does its content', async () => {
  const desk = smallDesk()
  const client = await connect(await served(desk), never)
  const wish = { from: 'nas', source: null, glob: 'caf\udce9.txt', withRemoved: true, isBare: false }

  const items = []
  for await (const item of client.restorable(wish, never)) items.push(item)
  const [copy] = aWanted().copies
  const content = copy && (await text(await client.readCopy(copy, 3, never)))

  expect(items.at(-1)).toEqual({ kind: 'file', file: aWanted() })
  expect(content).toBe('tent')
  expect(desk.asked).toEqual([
    ['restorable', wish],
    ['read', copy, 3],
  ])
})
