/** The emulator's own addresses below /_emulator/: what a test of another process asks for. Does nothing that the Emulator cannot do itself. */
import { z } from 'zod'
import type { Emulator } from './emulator.ts'
import type { Exchange } from './exchange.ts'
import { faultScript } from './faults.ts'
import { type Answer, json, plainText } from './provider.ts'

const prefix = '/_emulator/'

const oneOrMore = z.union([z.array(faultScript), faultScript.transform((script) => [script])])
const clockMove = z.strictObject({ advanceMs: z.number().min(0) })
const paceChange = z.strictObject({
  latencyMs: z.number().min(0).optional(),
  /** null: without limit. */
  bytesPerSecond: z.number().positive().nullable().optional(),
  requestsPerSecond: z.number().positive().nullable().optional(),
})
const writtenObjects = z.array(
  z.strictObject({ path: z.string(), content: z.string(), modifiedMs: z.number().optional() }),
)
const tokenChange = z.strictObject({ do: z.enum(['expire', 'revoke', 'login']) })

type Verb = (emulator: Emulator, exchange: Exchange) => Promise<unknown>

export function isControl(url: URL): boolean {
  return url.pathname.startsWith(prefix)
}

/** 200 with JSON, 400 with what is wrong, 404 with a list of what there is. */
export async function control(emulator: Emulator, exchange: Exchange): Promise<Answer> {
  const name = `${exchange.method} ${exchange.url.pathname.slice(prefix.length)}`
  const verb = verbs[name]
  if (verb === undefined) return plainText(404, `no ${name}; there are: ${Object.keys(verbs).join(', ')}\n`)
  try {
    const result = await verb(emulator, exchange)
    if (Buffer.isBuffer(result)) return { status: 200, headers: {}, body: result }
    return json(200, result ?? {})
  } catch (error) {
    return plainText(400, `${name}: ${error instanceof Error ? error.message : String(error)}\n`)
  }
}

const verbs: Readonly<Record<string, Verb>> = {
  'GET faults': ({ faults }) => Promise.resolve(faults.list),
  'POST faults': async (emulator, exchange) => {
    const scripts = oneOrMore.parse(await bodyOf(exchange))
    for (const script of scripts) emulator.fault(script)
    return { armed: scripts.length }
  },
  'DELETE faults': ({ faults }) => {
    faults.disarmAll()
    return Promise.resolve()
  },
  'POST clock': async ({ clock }, exchange) => {
    clock.advance(clockMove.parse(await bodyOf(exchange)).advanceMs)
    return { nowMs: clock.nowMs() }
  },
  'GET requests': ({ recorder, failures }, { url }) => {
    const since = Number(url.searchParams.get('since') ?? 0)
    return Promise.resolve({
      records: recorder.records.filter(({ id }) => id > since),
      routes: recorder.routes,
      failures: failures.map(String),
    })
  },
  'DELETE requests': ({ recorder }) => {
    recorder.clear()
    return Promise.resolve()
  },
  'POST pace': async ({ pace }, exchange) => {
    const { latencyMs, bytesPerSecond, requestsPerSecond } = paceChange.parse(await bodyOf(exchange))
    pace.set({
      ...(latencyMs === undefined ? {} : { latencyMs }),
      ...(bytesPerSecond === undefined ? {} : { bytesPerSecond: bytesPerSecond ?? Infinity }),
      ...(requestsPerSecond === undefined ? {} : { requestsPerSecond: requestsPerSecond ?? Infinity }),
    })
  },
  'POST tokens': async ({ auth }, exchange) => {
    switch (tokenChange.parse(await bodyOf(exchange)).do) {
      case 'expire':
        auth.expireAccess()
        return {}
      case 'revoke':
        auth.revokeAll()
        return {}
      case 'login':
        return { ...auth.login(), ...auth.client }
    }
  },
  'POST settings': async ({ provider }, exchange) => {
    provider.set(await bodyOf(exchange))
  },
  'GET objects': ({ provider }) => Promise.resolve(provider.owner.list()),
  'GET object': ({ provider }, exchange) => {
    const path = pathOf(exchange)
    const content = provider.owner.read(path)
    if (content === undefined) throw new Error(`nothing at ${path}`)
    return Promise.resolve(content)
  },
  'PUT object': async ({ provider }, exchange) => {
    const chunks: Buffer[] = []
    for await (const chunk of exchange.body()) chunks.push(chunk)
    provider.owner.write(pathOf(exchange), Buffer.concat(chunks))
  },
  // Many small ones at once: a target with 100,000 copies is filled in a minute.
  'POST objects': async ({ provider }, exchange) => {
    const objects = writtenObjects.parse(await bodyOf(exchange))
    for (const { path, content, modifiedMs } of objects) provider.owner.write(path, content, modifiedMs)
    return { written: objects.length }
  },
  'DELETE object': ({ provider }, exchange) => {
    provider.owner.remove(pathOf(exchange))
    return Promise.resolve()
  },
}

async function bodyOf(exchange: Exchange): Promise<unknown> {
  return JSON.parse(await exchange.text())
}

function pathOf({ url }: Exchange): string {
  const path = url.searchParams.get('path')
  if (path === null) throw new Error('the address lacks ?path=')
  return path
}
