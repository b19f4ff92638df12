/** What a caller asks of the transport and what it is answered: shapes and bounds, nothing that moves. */
import type { Readable } from 'node:stream'

/** Bytes of a request. A stream is made anew for each try. */
export type Body = AsyncIterable<Uint8Array> | Uint8Array | undefined

/**
 * What a good answer is made of. Anything else with a good status comes from somebody between us and the server:
 * `json` a JSON text or an empty 202, 204, 205 or 3xx; `bytes` content to be streamed, no HTML unless its `size` fits; `any` is not looked at.
 */
export type Expect = 'json' | 'bytes' | 'any'

export interface Times {
  /** Longest time without a byte in the direction that is waited for. Waiting for our own pace, disk or reader is not counted. Unit: ms. */
  readonly stallMs?: number
  /** Longest time between the last byte sent and the first of the answer; more for calls at which the server works (a commit, a long poll). Unit: ms. */
  readonly answerMs?: number
  /** Longest time for all of it. Unit: ms. */
  readonly totalMs?: number
}

export interface Call {
  readonly method: 'GET' | 'HEAD' | 'OPTIONS' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** The real one, https; configuration may send it elsewhere. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: () => Body
  /** The body cannot be made a second time: a 401 comes back as an answer. */
  readonly isOneShot?: boolean
  /** Bytes of a body that is a stream; without it the body goes in chunks of unknown number, which some servers refuse. */
  readonly length?: number
  readonly expect: Expect
  /** Bytes that the answer of `expect: 'bytes'` must have. */
  readonly size?: number
  /** False for URLs that carry their own right: they get no bearer token, and no log line shows more than their host. */
  readonly bearer?: boolean
  /** An answer that points elsewhere is an error unless the caller asks for it; it is never followed. */
  readonly redirect?: 'refuse' | 'answer'
  /** Counts as a file begun at the account's pace. */
  readonly isUpload?: boolean
  readonly times?: Times
  /** Bytes of this try's body that the socket took so far. Begins anew when a try is repeated. */
  readonly progress?: (bytesSent: number) => void
}

export type Content =
  | { readonly kind: 'json'; readonly value: unknown }
  /** An error's body that is no JSON, cut at its bound. */
  | { readonly kind: 'text'; readonly text: string }
  /** To be read to its end or destroyed; it holds a connection until then. */
  | { readonly kind: 'stream'; readonly stream: Readable }
  | { readonly kind: 'none' }

export interface Answer {
  readonly status: number
  /** Names in lower case; several of one name joined by ", ". */
  readonly headers: Readonly<Record<string, string>>
  /** What Retry-After asked for, whichever way it was written. Unit: ms. */
  readonly retryAfterMs: number | undefined
  readonly content: Content
}

/** Pieces in which bodies pass the account's pace: small enough for an even stream at 1 MB/s, large enough to cost nothing. Unit: bytes. */
export const pieceBytesMax = 64 * 2 ** 10
/** JSON is held in memory several times over; the largest listings are 2,000 entries of a few KiB. Unit: bytes. */
export const jsonBytesMax = 32 * 2 ** 20
/** Nobody reads more of an error. Unit: bytes. */
export const errorBytesMax = 64 * 2 ** 10
/** What has arrived and was not read yet, per answer; beyond it the socket rests. Unit: bytes. */
export const unreadBytesMax = 256 * 2 ** 10

export const usualTimes: Required<Times> = {
  // A piece of 64 KiB in 30 s is 2 KiB/s: a slower link is as good as none.
  stallMs: 30_000,
  answerMs: 60_000,
  // Dead exchanges are found by the other two; this ends the ones that live on a trickle.
  totalMs: 24 * 3_600_000,
}
