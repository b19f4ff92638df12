/** What a provider has to offer to stand on this core: names for its routes, answers, and a way for its owner to look into it. */
import type { Readable } from 'node:stream'
import type { Exchange } from './exchange.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer | AnswerStream
}

/** Bytes that do not fit into memory. */
export interface AnswerStream {
  readonly bytes: number
  open(): Readable
}

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(value) }
}

export function plainText(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8', ...headers }, body }
}

export interface OwnedObject {
  /** Names from the root, "/" between them. */
  readonly path: string
  readonly kind: 'file' | 'folder'
  readonly size: number
  /** As the provider tells it, undefined for folders. */
  readonly hash: string | undefined
}

/** What the owner sees and does in a browser, past the API: for tests. */
export interface OwnersHand {
  list(): readonly OwnedObject[]
  read(path: string): Buffer | undefined
  /** @param modifiedMs as a program that keeps times would have given it; else as the provider does without one. */
  write(path: string, content: Uint8Array | string, modifiedMs?: number): void
  remove(path: string): void
  /** Another name in the same folder. */
  rename(path: string, name: string): void
}

export interface Provider {
  /** Real host names it stands for. */
  readonly hosts: readonly string[]
  /** Names that the fault `refuse` and `early` may give. The one called `throttle` is the answer above the rate limit. */
  readonly refusals: readonly string[]
  /** Names that the fault `behave` may give. */
  readonly behaviours: readonly string[]
  readonly owner: OwnersHand
  /** What a client has to know besides the address and its tokens. */
  readonly facts?: Readonly<Record<string, string>>
  /** A short name for faults and records. Each request has one, unknown ones too. */
  routeOf(method: string, path: string, query: URLSearchParams): string
  answer(exchange: Exchange): Promise<Answer>
  refusal(name: string, retryAfterS: number | undefined): Answer
  /** Turns switches of the running provider. @throws Error that names what is wrong */
  set(settings: unknown): void
}
