/** A OneDrive emulator for one test, every answer checked, and a bare client for it: what a program on the wire sends and sees. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { type OneDriveEmulator, oneDriveEmulator, type OneDriveOptions } from './onedrive/onedrive.ts'

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
  /** Parsed where it is JSON, undefined elsewhere. */
  readonly body: unknown
}

export interface OneDriveRig {
  readonly emulator: OneDriveEmulator
  readonly accessToken: string
  readonly refreshToken: string
  /** Nothing that is set here. Addresses may be whole ones, also of the real host. */
  readonly raw: (path: string, init?: RequestInit) => Promise<Reply>
  /** Below /v1.0, with the login; JSON where a body is given. */
  readonly graph: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Reply>
  /** The upload URL of a new session for a path below the root. */
  readonly session: (path: string, item?: Readonly<Record<string, unknown>>) => Promise<string>
  readonly fragment: (url: string, bytes: Buffer, start: number, total: number) => Promise<Reply>
}

const ends: (() => Promise<void>)[] = []

/** The emulator itself must have nothing to complain of: a failure is an answer that breaks the description, or a bug. */
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

export async function aOneDrive(options: Partial<OneDriveOptions> = {}): Promise<OneDriveRig> {
  const folder = await mkdtemp(join(tmpdir(), 'fanfold-emulator-'))
  const emulator = oneDriveEmulator({ checksAnswers: true, folder, ...options })
  await emulator.start()
  ends.push(async () => {
    await emulator.stop()
    await rm(folder, { recursive: true, force: true })
    if (emulator.failures[0] !== undefined) throw emulator.failures[0]
  })
  const { accessToken, refreshToken } = emulator.auth.login()
  const raw: OneDriveRig['raw'] = async (path, init) => {
    const url = path.startsWith('/') ? emulator.url + path : path.replace('https://graph.microsoft.com', emulator.url)
    const response = await fetch(url, { redirect: 'manual', ...init })
    const bytes = Buffer.from(await response.arrayBuffer())
    const isJson = response.headers.get('content-type') === 'application/json'
    const body: unknown = isJson ? JSON.parse(bytes.toString()) : undefined
    return { status: response.status, headers: response.headers, bytes, body }
  }
  const graph: OneDriveRig['graph'] = (method, path, body, headers = {}) => {
    const isBytes = typeof body === 'string' || Buffer.isBuffer(body)
    const url = path.startsWith('https:') ? path : `/v1.0${path}`
    return raw(url, {
      method,
      headers: {
        Authorization: `Bearer ${accessToken}`,
        ...(body === undefined || isBytes ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isBytes ? body : JSON.stringify(body) }),
    })
  }
  const session: OneDriveRig['session'] = async (path, item = { '@microsoft.graph.conflictBehavior': 'replace' }) => {
    const { body, status } = await graph('POST', `/me/drive/root:${encodeURI(path)}:/createUploadSession`, { item })
    if (status !== 200) throw new Error(`no session: ${JSON.stringify(body)}`)
    return String((body as { uploadUrl: unknown }).uploadUrl)
  }
  const fragment: OneDriveRig['fragment'] = (url, bytes, start, total) => {
    const range = `bytes ${start}-${start + bytes.length - 1}/${total}`
    return raw(url, { method: 'PUT', headers: { 'Content-Range': range }, body: bytes })
  }
  return { emulator, accessToken, refreshToken, raw, graph, session, fragment }
}
