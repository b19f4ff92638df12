/** rclone as its user has it, on the way to emulators that stand in for the clouds. */
import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'
import type { Emulator } from '../emulator/core/emulator.ts'
import type { InterceptingProxy } from '../emulator/proxy/proxy.ts'

export interface Run {
  readonly code: number | null
  readonly out: string
}

export interface Rclone {
  run(...words: readonly string[]): Promise<Run>
  /** Answers what it said. @throws where it did not end well. */
  done(...words: readonly string[]): Promise<string>
}

/** Configured with one remote, `box:`. @param kind rclone's name for it. @param lines more of its configuration. */
export async function anRclone(
  folder: string,
  kind: string,
  { auth }: Emulator,
  proxy: InterceptingProxy,
  lines = '',
): Promise<Rclone> {
  const { accessToken, refreshToken } = auth.login()
  const { clientId, clientSecret } = auth.client
  const token = JSON.stringify({
    access_token: accessToken,
    token_type: 'bearer',
    refresh_token: refreshToken,
    // Long past, so that each run has to refresh first.
    expiry: '2020-01-01T00:00:00Z',
  })
  const config = `[box]\ntype = ${kind}\nclient_id = ${clientId}\nclient_secret = ${clientSecret}\ntoken = ${token}\n${lines}`
  await writeFile(join(folder, 'ca.pem'), proxy.authority)
  await writeFile(join(folder, 'rclone.conf'), config)
  const environment = { ...process.env, HTTPS_PROXY: proxy.url, SSL_CERT_FILE: join(folder, 'ca.pem') }
  const run = async (...words: readonly string[]): Promise<Run> => {
    const child = spawn('rclone', ['--config', join(folder, 'rclone.conf'), ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment,
    })
    const end = new Promise<number | null>((resolve) => child.once('close', resolve))
    const [code, out, errors] = await Promise.all([end, text(child.stdout), text(child.stderr)])
    return { code, out: out + errors }
  }
  const done = async (...words: readonly string[]): Promise<string> => {
    const { code, out } = await run(...words)
    expect(code, `rclone ${words.join(' ')}\n${out}`).toBe(0)
    return out
  }
  return { run, done }
}

/** Names that are hard to carry, each of which rclone and Fanfold spell alike. */
export const hostileNames = [
  'é composed',
  'emoji \u{1f4f7}.jpg',
  'right\u200fto\u200eleft',
  'new\nline',
  'tab\tand bell\u0007',
  'quotes " \' < > & | ? *',
  ' leading space',
  'trailing space ',
  'trailing dot.',
  '.hidden',
  'back\\slash',
  'delete\u007f',
  'percent %41 +',
  'full width \uff3c itself',
  '日本語',
  'x'.repeat(120),
]
