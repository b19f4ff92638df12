/** A Google Drive emulator for one test, every answer checked, and a bare client for it: what a program on the wire sends and sees. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { type GoogleDriveEmulator, googleDriveEmulator, type GoogleDriveOptions } from './google-drive/google-drive.ts'

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
  /** Parsed where it is JSON, undefined elsewhere. */
  readonly body: unknown
}

export interface DriveRig {
  readonly emulator: GoogleDriveEmulator
  readonly accessToken: string
  readonly refreshToken: string
  /** With the login; a body that is an object goes as JSON. */
  readonly call: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Reply>
  /** Nothing that is set here. */
  readonly raw: (path: string, init?: RequestInit) => Promise<Reply>
}

const ends: (() => Promise<void>)[] = []

/** The emulator itself must have nothing to complain of: a failure is an answer that breaks the description, or a bug. */
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

/** @param scopes of the login; left out: all of Drive. */
export async function aGoogleDrive(
  options: Partial<GoogleDriveOptions> = {},
  scopes?: readonly string[],
): Promise<DriveRig> {
  const folder = await mkdtemp(join(tmpdir(), 'fanfold-emulator-'))
  const emulator = googleDriveEmulator({ checksAnswers: true, folder, ...options })
  await emulator.start()
  ends.push(async () => {
    await emulator.stop()
    await rm(folder, { recursive: true, force: true })
    if (emulator.failures[0] !== undefined) throw emulator.failures[0]
  })
  const { accessToken, refreshToken } = emulator.auth.login(scopes)
  const raw = async (path: string, init?: RequestInit): Promise<Reply> => {
    const response = await fetch(path.startsWith('http') ? path : emulator.url + path, init)
    const bytes = Buffer.from(await response.arrayBuffer())
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
    const body: unknown = isJson ? JSON.parse(bytes.toString()) : undefined
    return { status: response.status, headers: response.headers, bytes, body }
  }
  const call: DriveRig['call'] = (method, path, body, headers = {}) => {
    const isBytes = body instanceof Uint8Array || typeof body === 'string'
    const type: Record<string, string> = body === undefined || isBytes ? {} : { 'Content-Type': 'application/json' }
    const sent = isBytes ? Buffer.from(body) : JSON.stringify(body)
    return raw(path, {
      method,
      headers: { Authorization: `Bearer ${accessToken}`, ...type, ...headers },
      ...(body === undefined ? {} : { body: sent }),
    })
  }
  return { emulator, accessToken, refreshToken, call, raw }
}
