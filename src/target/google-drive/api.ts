/**
 * Calls of Google Drive's API v3: what has no bytes through its SDK, content past it, since the SDK knows no resumable session and sends
 * emptied streams again. All of it over one transport. What an answer means stands in the table of errors.
 */
import type { Readable } from 'node:stream'
import type { drive_v3 } from 'googleapis/build/src/apis/drive/index.js'
import { TargetError } from '../target.ts'
import type { Answer, Call, Transport } from '../transport/transport.ts'
import { isRate, type Refused, refused } from './errors.ts'
import { type DriveNode, nodeFields, type Page, parseNode, parsePage } from './metadata.ts'

export interface ApiParts {
  readonly transport: Transport
  /** The target's, for messages. */
  readonly name: string
  /** The login's, for messages. */
  readonly account: string
  /** Id of a shared drive; undefined for the account's own. */
  readonly drive: string | undefined
}

/** A call with content: where it goes, what goes with it. */
export type Sending = Pick<Call, 'method' | 'url' | 'headers' | 'body' | 'length' | 'isUpload' | 'progress' | 'times'>

/** What the SDK is told with each call, besides parameters. */
interface SdkOptions {
  readonly signal: AbortSignal
}

type Ask = (drive: drive_v3.Drive, options: SdkOptions) => Promise<{ readonly data: unknown }>

const origin = 'https://www.googleapis.com'
const jsonType = 'application/json; charset=UTF-8'
/** My Drive's root by another name: the only one for a login that may not see its id. */
export const rootAlias = 'root'
/** Without it whatever lies in a shared drive is not there. */
export const allDrives = { supportsAllDrives: true } as const

export class DriveApi {
  readonly #parts: ApiParts
  #sdk: Promise<drive_v3.Drive> | undefined
  /** The id behind the alias, as children of it tell: a login of the scope drive.file is not told otherwise. */
  #home: string | undefined

  constructor(parts: ApiParts) {
    this.#parts = parts
  }

  get account(): string {
    return this.#parts.account
  }

  /** What every search has to say about where it looks. */
  get corpus(): { readonly corpora?: string; readonly driveId?: string; readonly includeItemsFromAllDrives: boolean } {
    const { drive } = this.#parts
    return { includeItemsFromAllDrives: true, ...(drive === undefined ? {} : { corpora: 'drive', driveId: drive }) }
  }

  /** `upload of a/b` with the target's name before it. */
  what(verb: string): string {
    return `${this.#parts.name}: ${verb}`
  }

  /** An item as an answer has it. @param asked where it was put or looked for, if that was said. */
  nodeOf(verb: string, value: unknown, asked?: string): DriveNode | undefined {
    const node = parseNode(this.what(verb), value)
    return node === undefined ? undefined : this.#homed(node, asked)
  }

  pageOf(verb: string, value: unknown, asked?: string): Page {
    const { nodes, next } = parsePage(this.what(verb), value)
    return { nodes: nodes.map((node) => this.#homed(node, asked)), next }
  }

  /** As long as nobody told what is behind the alias, whatever is looked for there may be there. */
  isIn(node: DriveNode, folder: string): boolean {
    return node.parentId === folder || (folder === rootAlias && this.#home === undefined)
  }

  /** A node's parent, to be taken away from it. */
  parentOf({ parentId }: DriveNode): { readonly removeParents?: string } {
    const id = parentId === rootAlias ? (this.#home ?? rootAlias) : parentId
    return id === undefined ? {} : { removeParents: id }
  }

  #homed(node: DriveNode, asked: string | undefined): DriveNode {
    if (asked === rootAlias) this.#home ??= node.parentId
    return this.#home !== undefined && node.parentId === this.#home ? { ...node, parentId: rootAlias } : node
  }

  /** The login may be another one. */
  forgetHome(): void {
    this.#home = undefined
  }

  /** One call without content. @throws Refused, TransportError. */
  async rpc(verb: string, ask: Ask, signal: AbortSignal): Promise<unknown> {
    this.#sdk ??= this.#load()
    const sdk = await this.#sdk
    try {
      return (await ask(sdk, { signal })).data
    } catch (thrown) {
      throw this.#failure(verb, thrown)
    }
  }

  /** The item of an id, in the trash or not; undefined where none is, or none that this login sees. */
  async node(verb: string, id: string, signal: AbortSignal): Promise<DriveNode | undefined> {
    try {
      const params = { fileId: id, fields: nodeFields, ...allDrives }
      return this.nodeOf(verb, await this.rpc(verb, (sdk, options) => sdk.files.get(params, options), signal))
    } catch (thrown) {
      if (isRefused(thrown) && thrown.status === 404) return undefined
      throw thrown
    }
  }

  /** Metadata or place of an item. */
  async update(
    verb: string,
    change: drive_v3.Params$Resource$Files$Update,
    signal: AbortSignal,
  ): Promise<DriveNode | undefined> {
    const params = { ...change, fields: nodeFields, ...allDrives }
    const value = await this.rpc(verb, (sdk, options) => sdk.files.update(params, options), signal)
    return this.nodeOf(verb, value, change.addParents)
  }

  /** One call with bytes in its body, or of a session. An answer of any status is an answer. */
  send(sending: Sending, signal: AbortSignal): Promise<Answer> {
    return this.#parts.transport.request({ expect: 'json', ...sending }, signal)
  }

  /** Bytes from `start` on. @param size of the whole. */
  async download(
    verb: string,
    id: string,
    { start, size }: { readonly start: number; readonly size: number },
    signal: AbortSignal,
  ): Promise<Readable> {
    const url = `${origin}/drive/v3/files/${encodeURIComponent(id)}?alt=media&supportsAllDrives=true`
    const headers: Record<string, string> = start === 0 ? {} : { range: `bytes=${start}-` }
    const call = { method: 'GET', url, headers, expect: 'bytes', size: size - start } as const
    const answer = await this.#parts.transport.request(call, signal)
    if (answer.content.kind !== 'stream') throw this.refusedAnswer(verb, answer, false)
    return answer.content.stream
  }

  refusedAnswer(verb: string, { status, content, retryAfterMs }: Answer, isUpload = true): Refused {
    const body = content.kind === 'json' ? content.value : content.kind === 'text' ? content.text : undefined
    return this.#refused(verb, { status, body, retryAfterMs, isUpload })
  }

  async #load(): Promise<drive_v3.Drive> {
    // Loaded with the first call: who has no Google Drive target never pays for it, nor for the other 300 APIs beside it.
    const { drive } = await import('googleapis/build/src/apis/drive/index.js')
    return drive({ version: 'v3', retry: false, fetchImplementation: this.#parts.transport.fetch })
  }

  /** The SDK wraps whatever it meets. */
  #failure(verb: string, thrown: unknown): unknown {
    for (let inner = thrown, depth = 0; inner instanceof Error && depth < causesMax; inner = inner.cause, depth++) {
      if (inner instanceof TargetError) return inner
    }
    const { response } = thrown as {
      readonly response?: { readonly status: number; readonly data: unknown; readonly headers: unknown }
    }
    if (response === undefined) return thrown
    const { status, data, headers } = response
    const seconds = headers instanceof Headers ? Number(headers.get('retry-after') ?? NaN) : NaN
    const retryAfterMs = Number.isNaN(seconds) ? undefined : seconds * 1000
    return this.#refused(verb, { status, body: data, retryAfterMs, isUpload: false })
  }

  #refused(
    verb: string,
    said: {
      readonly status: number
      readonly body: unknown
      readonly retryAfterMs: number | undefined
      readonly isUpload: boolean
    },
  ): Refused {
    const { transport, account } = this.#parts
    const refusal = refused({ what: this.what(verb), account, ...said })
    if (isRate(refusal))
      transport.penalise({ retryAfterMs: said.retryAfterMs, reason: `${this.what(verb)}: too many calls at once` })
    return refusal
  }
}

/** Deeper than any SDK wraps. */
const causesMax = 8

function isRefused(thrown: unknown): thrown is Refused {
  return thrown instanceof TargetError && 'status' in thrown
}

/** Where content of a new file, or of one that is there, goes. */
export function uploadCall(
  id: string | undefined,
  type: 'multipart' | 'resumable',
): { readonly method: 'POST' | 'PATCH'; readonly url: string } {
  const query = new URLSearchParams({ uploadType: type, supportsAllDrives: 'true', fields: nodeFields }).toString()
  const path = id === undefined ? '' : `/${encodeURIComponent(id)}`
  return { method: id === undefined ? 'POST' : 'PATCH', url: `${origin}/upload/drive/v3/files${path}?${query}` }
}

/** A session's address as Google told it. One of another host (a gateway's, a test's) is the real one's again, and led there by configuration. */
export function sessionUrl(location: string): string | undefined {
  if (!URL.canParse(location)) return undefined
  const { protocol, hostname, pathname, search, href } = new URL(location)
  const isGoogles = protocol === 'https:' && hostname.endsWith('.googleapis.com')
  return isGoogles ? href : `${origin}${pathname}${search}`
}

export const metadataType = jsonType
