/** Being told: by real HTTP and real programs, on a clock that runs a hundred times faster. */
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Log } from '../../src/base/log.ts'
import type { NotifyConfig, Recipient } from '../../src/config/config.ts'
import { Notices } from '../../src/notice/notice.ts'
import { aFolder } from '../builders.ts'
import { aStatus } from '../control/small-desk.ts'
import { hurriedClock } from '../hurried-clock.ts'

interface Receiver {
  readonly url: string
  readonly heard: { readonly method: string; readonly body: Record<string, unknown> | undefined }[]
  /** What it answers from now on. */
  answer: number
}

async function aReceiver(): Promise<Receiver> {
  const server = createServer((question, reply) => {
    let text = ''
    question.on('data', (part: Buffer) => (text += part.toString()))
    question.on('end', () => {
      const body = text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>)
      if (receiver.answer === 200) receiver.heard.push({ method: question.method ?? '', body })
      reply.writeHead(receiver.answer).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const receiver: Receiver = { url: `http://127.0.0.1:${port}/s3cret-hook`, heard: [], answer: 200 }
  return receiver
}

const web = (url: string): Recipient => ({ kind: 'web', to: { kind: 'url', url } })
const nobody: NotifyConfig = { ping: undefined, onRed: undefined, onGreen: undefined, digestMinute: undefined }
const red = aStatus({ healthy: false, reasons: ['target nas is missing'], causes: ['target nas missing'] })

async function told(config: Partial<NotifyConfig>, folder = aFolder()) {
  const said: string[] = []
  const say = (event: string, fields?: object): void => void said.push(`${event} ${JSON.stringify(fields)}`)
  const log: Log = { hasDebug: true, debug: say, info: say, warn: say, error: say }
  const rig = { status: aStatus(), said, isAnswering: true, notes: [] as string[] }
  const notices = new Notices({
    status: () => rig.status,
    isAnswering: () => Promise.resolve(rig.isAnswering),
    node: 'office',
    file: join(folder, 'told.json'),
    http: { proxy: undefined, caFile: undefined },
    note: (event, detail) => void rig.notes.push(`${event} ${detail}`),
    clock: hurriedClock(100),
    log,
  })
  onTestFinished(() => notices.close())
  await notices.change({ ...nobody, ...config })
  return Object.assign(rig, { notices })
}

async function until(claim: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!claim()) {
    if (performance.now() > deadline) throw new Error('not so in time')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
/** Long enough, hurried, for whatever would have been told. */
const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 700))

test('a cause is told once, a restart does not repeat it, and green is told once', async () => {
  const { url, heard } = await aReceiver()
  const folder = aFolder()
  const config = { onRed: web(url), onGreen: web(url) }
  const before = await told(config, folder)
  before.status = red
  await until(() => heard.length === 1)
  await aWhile()
  await before.notices.close()
  const after = await told(config, folder)
  after.status = red
  await aWhile()

  expect(heard).toHaveLength(1)
  expect(heard[0]?.body).toMatchObject({
    event: 'red',
    node: 'office',
    healthy: false,
    reasons: ['target nas is missing'],
    fresh: ['target nas missing'],
    text: 'Fanfold on office: not everything is safe: target nas is missing',
  })
  after.status = aStatus()
  await until(() => heard.length === 2)
  expect(heard[1]?.body).toMatchObject({ event: 'green', healthy: true })
  expect(before.notes).toEqual(['told its URL: Fanfold on office: not everything is safe: target nas is missing'])
  expect(statSync(join(folder, 'told.json')).mode & 0o777).toBe(0o600)
})

test('who cannot be told is tried again until he is; the history says so once, and no message holds the URL', async () => {
  const receiver = await aReceiver()
  receiver.answer = 500
  const rig = await told({ onRed: web(receiver.url) })
  rig.status = red
  await until(() => rig.said.length >= 2)
  receiver.answer = 200
  await until(() => receiver.heard.length === 1)
  const nowhere = await told({ onRed: web('http://127.0.0.1:1/s3cret-hook') })
  nowhere.status = red
  await until(() => nowhere.notes.length === 1)

  expect(rig.notes[0]).toBe('tell-failed its URL could not be told (red): the answer was 500')
  expect(rig.notes[1]).toMatch(/^told its URL/)
  expect(rig.notes).toHaveLength(2)
  expect(nowhere.notes[0]).toContain('ECONNREFUSED')
  for (const line of [...rig.said, ...rig.notes, ...nowhere.said, ...nowhere.notes])
    expect(line).not.toContain('s3cret')
})

test('a program gets JSON on its standard input and its arguments as they are: no shell reads them', async () => {
  const folder = aFolder()
  const out = join(folder, 'out; touch pwned')
  const script = `const { writeFileSync, readFileSync } = require('fs'); writeFileSync(process.argv[1], readFileSync(0))`
  const rig = await told({ onRed: { kind: 'command', words: [process.execPath, '-e', script, out] } })
  rig.status = red
  await until(() => rig.notes.length === 1)

  expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject({ event: 'red', causes: ['target nas missing'] })
  expect(rig.notes[0]).toMatch(/^told node: Fanfold on office/)
})

test('a program that fails is told with what it said', async () => {
  const rig = await told({ onRed: { kind: 'command', words: ['/bin/sh', '-c', 'echo no mail here >&2; exit 3'] } })
  rig.status = red
  await until(() => rig.notes.length === 1)
  const missing = await told({ onRed: { kind: 'command', words: ['/nonexistent/mail'] } })
  missing.status = red
  await until(() => missing.notes.length === 1)

  expect(rig.notes[0]).toBe('tell-failed sh could not be told (red): sh ended with 3: no mail here')
  expect(missing.notes[0]).toContain('/nonexistent/mail cannot be started (ENOENT)')
})

test('the dead-man’s ping comes while all is well, and neither while something is wrong nor while watch or journal are silent (F111)', async () => {
  const { url, heard } = await aReceiver()
  const file = join(aFolder(), 'url')
  writeFileSync(file, `${url}\n`)
  const rig = await told({ ping: { to: { kind: 'file', path: file }, everyMs: 10_000 } })
  await until(() => heard.length >= 2)
  rig.status = red
  await aWhile()
  const whileRed = heard.length
  await aWhile()
  const later = heard.length
  rig.status = aStatus()
  rig.isAnswering = false
  await aWhile()
  const whileSilent = heard.length
  rig.isAnswering = true
  await until(() => heard.length > whileSilent)

  expect(heard.every(({ method }) => method === 'GET')).toBe(true)
  expect([later, whileSilent]).toEqual([whileRed, whileRed])
  expect(rig.notes).toEqual([])
})

test('a ping that does not arrive is told once in the history, and once more when it arrives again', async () => {
  const receiver = await aReceiver()
  receiver.answer = 404
  const rig = await told({ ping: { to: { kind: 'url', url: receiver.url }, everyMs: 5_000 } })
  await until(() => rig.notes.length === 1)
  await aWhile()
  receiver.answer = 200
  await until(() => rig.notes.length === 2)

  expect(rig.notes).toEqual(['tell-failed the ping does not arrive: the answer was 404', 'told the ping arrives again'])
})

test('the digest comes once a day, a restart included', async () => {
  const { url, heard } = await aReceiver()
  const folder = aFolder()
  const config = { onRed: web(url), digestMinute: 0 }
  const before = await told(config, folder)
  await until(() => before.notes.length === 1)
  await before.notices.close()
  await told(config, folder)
  await aWhile()

  expect(heard).toHaveLength(1)
  expect(heard[0]?.body).toMatchObject({
    event: 'digest',
    text: expect.stringContaining('everything is safe\nnas running: 1204 delivered') as string,
  })
})
