/** A Box emulator for one test, every answer checked, and a bare client for it: what a program on the wire sends and sees. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { z } from 'zod'
import { type BoxEmulator, boxEmulator, type BoxOptions } from './box/box.ts'

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
  /** Parsed where it is JSON, undefined elsewhere. */
  readonly body: unknown
}

type Headings = Readonly<Record<string, string>>

export interface BoxRig {
  readonly emulator: BoxEmulator
  readonly accessToken: string
  readonly refreshToken: string
  /** JSON in, with the login. @param path from the root of the host on: `/2.0/users/me`. */
  readonly api: (method: string, path: string, body?: unknown, headers?: Headings) => Promise<Reply>
  /** Bytes in, with the login. */
  readonly send: (method: string, path: string, bytes: Buffer | string, headers?: Headings) => Promise<Reply>
  /** Nothing that is set here. */
  readonly raw: (path: string, init?: RequestInit) => Promise<Reply>
  /** A form of two parts, below the root unless `over` says otherwise. */
  readonly put: (name: string, content: Buffer | string, over?: PutWish) => Promise<Reply>
  /** A token asked for with the client's secret. */
  readonly token: (form: Headings) => Promise<Reply>
}

export interface PutWish {
  readonly attributes?: Readonly<Record<string, unknown>>
  readonly path?: string
  readonly headers?: Headings
  readonly isReversed?: boolean
}

const ends: (() => Promise<void>)[] = []

/** The emulator itself must have nothing to complain of: a failure is an answer that breaks the description, or a bug. */
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

export async function aBox(options: Partial<BoxOptions> = {}): Promise<BoxRig> {
  const folder = await mkdtemp(join(tmpdir(), 'fanfold-emulator-'))
  const emulator = boxEmulator({ checksAnswers: true, folder, ...options })
  await emulator.start()
  ends.push(async () => {
    await emulator.stop()
    await rm(folder, { recursive: true, force: true })
    if (emulator.failures[0] !== undefined) throw emulator.failures[0]
  })
  const { accessToken, refreshToken } = emulator.auth.login()
  const raw: BoxRig['raw'] = async (path, init) => {
    const response = await fetch(emulator.url + path, { redirect: 'manual', ...init })
    const bytes = Buffer.from(await response.arrayBuffer())
    const isJson = response.headers.get('content-type') === 'application/json'
    const body: unknown = isJson ? JSON.parse(bytes.toString()) : undefined
    return { status: response.status, headers: response.headers, bytes, body }
  }
  const login = { Authorization: `Bearer ${accessToken}` }
  const api: BoxRig['api'] = (method, path, body, headers = {}) =>
    raw(path, {
      method,
      headers: { ...login, 'Content-Type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const send: BoxRig['send'] = (method, path, bytes, headers = {}) =>
    raw(path, { method, headers: { ...login, ...headers }, body: Buffer.from(bytes) })
  const put: BoxRig['put'] = (name, content, over = {}) => {
    const attributes = over.attributes ?? { name, parent: { id: '0' } }
    const form = new FormData()
    const parts: [string, Blob | string][] = [
      ['attributes', JSON.stringify(attributes)],
      ['file', new Blob([Buffer.from(content)])],
    ]
    for (const [part, value] of over.isReversed === true ? parts.reverse() : parts) form.append(part, value)
    const headers = { ...login, ...over.headers }
    return raw(over.path ?? '/api/2.0/files/content', { method: 'POST', headers, body: form })
  }
  const token: BoxRig['token'] = (form) => {
    const { clientId, clientSecret } = emulator.auth.client
    const body = new URLSearchParams({ client_id: clientId, client_secret: clientSecret, ...form })
    return raw('/oauth2/token', { method: 'POST', body })
  }
  return { emulator, accessToken, refreshToken, api, send, raw, put, token }
}

const uploaded = z.object({ entries: z.tuple([z.object({ id: z.string(), etag: z.string() })]) })

export function fileOf(reply: Reply): { readonly id: string; readonly etag: string } {
  return uploaded.parse(reply.body).entries[0]
}

const identified = z.object({ id: z.string() })

export function idOf(reply: Reply): string {
  return identified.parse(reply.body).id
}

export function sha1Hex(content: Buffer | string): string {
  return createHash('sha1').update(content).digest('hex')
}

/** As headers carry it. */
export function shaDigest(content: Buffer | string): string {
  return `sha=${createHash('sha1').update(content).digest('base64')}`
}
