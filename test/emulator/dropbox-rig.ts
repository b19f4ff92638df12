/** A Dropbox emulator for one test, every answer checked, and a bare client for it: what a program on the wire sends and sees. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { type DropboxEmulator, dropboxEmulator, type DropboxOptions } from './dropbox/dropbox.ts'
import { hashOf } from './core/hashes.ts'

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
  /** Parsed where it is JSON, undefined elsewhere. */
  readonly body: unknown
}

export interface Rig {
  readonly emulator: DropboxEmulator
  readonly accessToken: string
  readonly refreshToken: string
  /** RPC style: the argument in the body. */
  readonly rpc: (route: string, arg?: unknown) => Promise<Reply>
  /** Content style: the argument in a header, bytes in the body. */
  readonly content: (
    route: string,
    arg: unknown,
    bytes?: Buffer | string,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Reply>
  /** Nothing that is set here. */
  readonly raw: (path: string, init?: RequestInit) => Promise<Reply>
  readonly put: (path: string, content: Buffer | string, over?: Readonly<Record<string, unknown>>) => Promise<Reply>
}

const ends: (() => Promise<void>)[] = []

/** The emulator itself must have nothing to complain of: a failure is an answer that breaks the description, or a bug. */
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

export async function aDropbox(options: Partial<DropboxOptions> = {}): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), 'fanfold-emulator-'))
  const emulator = dropboxEmulator({ checksAnswers: true, folder, ...options })
  await emulator.start()
  ends.push(async () => {
    await emulator.stop()
    await rm(folder, { recursive: true, force: true })
    if (emulator.failures[0] !== undefined) throw emulator.failures[0]
  })
  const { accessToken, refreshToken } = emulator.auth.login()
  const raw = async (path: string, init?: RequestInit): Promise<Reply> => {
    const response = await fetch(emulator.url + path, init)
    const bytes = Buffer.from(await response.arrayBuffer())
    const isJson = response.headers.get('content-type') === 'application/json'
    const body: unknown = isJson ? JSON.parse(bytes.toString()) : undefined
    return { status: response.status, headers: response.headers, bytes, body }
  }
  const rpc: Rig['rpc'] = (route, arg) =>
    raw(`/2/${route}`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${accessToken}`,
        ...(arg === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(arg === undefined ? {} : { body: JSON.stringify(arg) }),
    })
  const content: Rig['content'] = (route, arg, bytes = '', headers = {}) =>
    raw(`/2/${route}`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${accessToken}`,
        'Content-Type': 'application/octet-stream',
        'Dropbox-API-Arg': ascii(arg),
        ...headers,
      },
      body: Buffer.from(bytes),
    })
  const put: Rig['put'] = (path, bytes, over = {}) =>
    content('files/upload', { path, mode: 'overwrite', ...over }, bytes)
  return { emulator, accessToken, refreshToken, rpc, content, raw, put }
}

export function contentHash(content: Buffer | string): string {
  return hashOf('dropbox', content)
}

/** As the SDK escapes a header. */
export function ascii(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
