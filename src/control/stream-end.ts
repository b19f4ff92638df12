/** How an answer that goes on for long ends, on both sides: the kind of its failure crosses the socket, so that the asker throws what the desk threw. */
import { z } from 'zod'
import { asError, FanfoldError, OwnerError } from '../base/errors.ts'
import { AskError } from './desk.ts'

/** The daemon understood the question and failed at it; its log says more. */
export class DeskFailed extends FanfoldError {
  readonly action = 'retry'
}

/** `error` is null where all was said. */
export const streamEnd = z.object({ error: z.string().nullable(), kind: z.enum(['done', 'ask', 'owner', 'failed']) })
export type StreamEnd = z.infer<typeof streamEnd>

export const doneEnd: StreamEnd = { error: null, kind: 'done' }

export function endOf(thrown: unknown): StreamEnd {
  const error = asError(thrown).message
  if (thrown instanceof AskError) return { error, kind: 'ask' }
  return { error, kind: thrown instanceof FanfoldError && thrown.action === 'ask-owner' ? 'owner' : 'failed' }
}

/** What to throw; undefined where all was said. */
export function errorOfEnd({ error, kind }: StreamEnd): FanfoldError | undefined {
  if (kind === 'done') return undefined
  const message = error ?? 'no reason was given'
  if (kind === 'ask') return new AskError(message)
  return kind === 'owner' ? new OwnerError(message) : new DeskFailed(message)
}

/**
 * A stream of lines is one JSON value per line: `{"item":…}`, `{"beat":true}` while nothing else is to be said, and at last `{"end":…}`. A stream
 * of bytes is frames of one byte for the kind, four for the length (big-endian) and the content.
 */
export const frameKinds = { bytes: 0x64, beat: 0x62, end: 0x65 } as const
export const frameHeadBytes = 5
/** A line, or a frame. Content comes in pieces of at most 4 MiB. Unit: bytes. */
export const pieceBytesMax = 8 * 2 ** 20

/** While there is nothing to say, this often something is said, so that a daemon that hangs is told from one that works. Unit: ms. */
export const beatMs = 10_000
/** Six beats that did not come. Unit: ms. */
export const silenceMsMax = 60_000
