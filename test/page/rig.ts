/** The page's server over a small desk, asked over real HTTP with whatever headers a test likes. */
import { once } from 'node:events'
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import type { StatusConfig } from '../../src/config/config.ts'
import type { Status } from '../../src/control/control.ts'
import { Page, type Facts } from '../../src/page/page.ts'
import { aFolder } from '../builders.ts'
import { smallDesk, type SmallDesk } from '../control/small-desk.ts'

export interface Served {
  readonly page: Page
  readonly desk: SmallDesk
  readonly folder: string
  /** How often somebody looked. */
  readonly looks: () => number
  readonly port: number
  readonly token: string
  readonly ask: (path: string, question?: Question) => Promise<Answer>
  readonly act: (path: string, body: unknown, headers?: Readonly<Record<string, string>>) => Promise<Answer>
}

interface Question {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export function someFacts(status: Status): Facts {
  const requests = {
    answered: 7,
    refused: 1,
    limited: 2,
    broken: 0,
    failed: { stalled: 3 },
    bytesUp: 1000,
    bytesDown: 10,
  }
  return {
    status,
    events: [
      { event: 'paused', source: null, target: 'nas', count: 2 },
      { event: 'overflow', source: 'papers', target: null, count: 1 },
    ],
    requests: new Map([['nas', requests]]),
    stages: [{ name: 'intake', bufferedCount: 3, handledCount: 40, busyMs: 1500 }],
    journal: { main: 4096, log: 0 },
  }
}

export const anyPort: StatusConfig = { listen: { kind: 'tcp', host: '127.0.0.1', port: 0 }, hosts: [] }

export async function served(config = anyPort, desk = smallDesk(), folder = aFolder()): Promise<Served> {
  let looks = 0
  const page = new Page({
    desk,
    tokenFile: join(folder, 'page-token'),
    facts: () => someFacts(desk.now),
    onLook: () => looks++,
    clock: systemClock,
    log: silentLog,
  })
  onTestFinished(() => page.close())
  await page.change(config)
  const { address, token } = page.access()
  const port = address?.startsWith('http') === true ? Number(new URL(address).port) : 0
  const ask = (path: string, question: Question = {}): Promise<Answer> => asked({ port, path, ...question })
  const act: Served['act'] = (path, body, headers = {}) => {
    const usual = { 'content-type': 'application/json', 'fanfold-token': token }
    return ask(path, { method: 'POST', body: JSON.stringify(body), headers: { ...usual, ...headers } })
  }
  return { page, desk, folder, looks: () => looks, port, token, ask, act }
}

interface Asked extends Question {
  readonly port?: number
  readonly socketPath?: string
  readonly path: string
}

export async function asked({ body, ...question }: Asked): Promise<Answer> {
  const asking = request({ host: '127.0.0.1', agent: false, ...question })
  asking.end(body)
  const [answer] = (await once(asking, 'response')) as [IncomingMessage]
  let text = ''
  for await (const part of answer) text += String(part)
  return { status: answer.statusCode ?? 0, headers: answer.headers, text }
}
