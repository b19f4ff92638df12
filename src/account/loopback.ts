/** The address of this machine to which a consent page sends the browser: listens there, and shows its reader what came of it. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { errnoOf, OwnerError } from '../base/errors.ts'
import type { AccountConfig } from '../config/config.ts'
import { cloudLogin } from './cloud-login.ts'

export interface Listening {
  readonly redirectUri: string
  /** @param judge what the browser's reader is told; `isEnd`: no further answer is waited for. Resolves with the last word. */
  answered(judge: (address: string) => Promise<Verdict>, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

export interface Verdict {
  readonly isEnd: boolean
  readonly isGood: boolean
  readonly text: string
}

/** Where no port is registered, one is named that nobody listens at: the address is copied by hand. */
const pastePort = 53_682
/** A browser asks at once; nothing else has a reason to stay. Unit: ms. */
const questionMsMax = 10_000

/** The redirect address of a handshake whose answer is copied; undefined where the page shows a code. */
export function pasteAddress(config: AccountConfig, port: number | undefined): string | undefined {
  const { redirect, showsCode } = cloudLogin(config)
  return showsCode ? undefined : uriOf(redirect, port ?? redirect.port ?? pastePort)
}

/** @throws OwnerError where the port is taken */
export async function listenForAnswer(config: AccountConfig, port: number | undefined): Promise<Listening> {
  const { redirect, title } = cloudLogin(config)
  const servers = await listening(redirect.host, port ?? redirect.port ?? 0, title)
  const [first] = servers
  const { port: actual } = first?.address() as AddressInfo
  return {
    redirectUri: uriOf(redirect, actual),
    answered: (judge, signal) => answered(servers, `${redirect.host}:${actual}`, judge, signal),
    async close() {
      for (const server of servers) {
        const closed = once(server, 'close')
        server.close()
        server.closeAllConnections()
        await closed
      }
    },
  }
}

/** Only where one is registered with its port is the path of importance: it is registered with a slash, as rclone's users do. */
function uriOf({ host, port }: { readonly host: string; readonly port: number | undefined }, actual: number): string {
  return `http://${host}:${actual}${port === undefined ? '' : '/'}`
}

/** `localhost` is two addresses, and browsers try either first. */
async function listening(host: string, port: number, title: string): Promise<Server[]> {
  const first = await listenAt('127.0.0.1', port, title)
  if (host !== 'localhost') return [first]
  const { port: actual } = first.address() as AddressInfo
  // A machine without IPv6, or with another program there, has the first one still.
  const second = await listenAt('::1', actual, title).catch(() => undefined)
  return second === undefined ? [first] : [first, second]
}

async function listenAt(address: string, port: number, title: string): Promise<Server> {
  const server = createServer({ requestTimeout: questionMsMax, headersTimeout: questionMsMax })
  try {
    server.listen(port, address)
    await once(server, 'listening')
    return server
  } catch (cause) {
    const why = errnoOf(cause) === 'EADDRINUSE' ? 'another program listens there' : (errnoOf(cause) ?? 'unknown reason')
    const step = `end that, register another address with the app at ${title} and name its port with --port, or use --paste`
    throw new OwnerError(`port ${port} of ${address} cannot be used (${why}); ${step}`, { cause })
  }
}

function answered(
  servers: readonly Server[],
  host: string,
  judge: (address: string) => Promise<Verdict>,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const url = new URL(request.url ?? '/', `http://${host}`)
      const isAnswer =
        request.method === 'GET' &&
        url.pathname === '/' &&
        (url.searchParams.has('code') || url.searchParams.has('error'))
      // Another site that pretends to be this machine (DNS rebinding) names itself.
      if (!isAnswer || request.headers.host !== host) {
        show(response, 404, 'Nothing is here.')
        return
      }
      const verdict = await judge(url.href)
      show(response, verdict.isGood ? 200 : 400, verdict.text)
      if (verdict.isEnd) response.once('close', resolve)
    }
    for (const server of servers)
      server.on('request', (request: IncomingMessage, response: ServerResponse) => {
        serve(request, response).catch((thrown: unknown) => {
          show(response, 500, 'It failed; the terminal says more.')
          reject(thrown instanceof Error ? thrown : new Error(String(thrown)))
        })
      })
    signal.addEventListener(
      'abort',
      () => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted')),
      { once: true },
    )
  })
}

function show(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) return
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Fanfold</title><body><p>${escaped(text)}</p></body></html>`
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'",
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
    connection: 'close',
  })
  response.end(page)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
