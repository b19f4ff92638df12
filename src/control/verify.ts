/** What can be asked about the copies at targets, and what comes back line by line. The daemon implements it; who asks reads the shapes here. */
import { z } from 'zod'
import type { Difference, Tally } from '../pipeline/pipeline.ts'

export interface VerifyRequest {
  /** Names; empty: all. */
  readonly targets: readonly string[]
  readonly source: string | null
  /** Glob over paths below the sources. */
  readonly glob: string | null
  /** Reads every copy back and compares its content. */
  readonly download: boolean
  /** Owes again what is not as it should be. */
  readonly repair: boolean
}

/** Of one target. Paths are made harmless for a terminal. */
export type VerifyDifference = Difference
export type VerifyTally = Tally

export type VerifyEvent =
  | {
      readonly kind: 'progress'
      readonly target: string
      readonly phase: 'listing' | 'comparing'
      readonly done: number
    }
  | { readonly kind: 'difference'; readonly target: string; readonly difference: VerifyDifference }
  | { readonly kind: 'done'; readonly target: string; readonly tally: VerifyTally }
  /** The target could not be asked to the end; the others are. */
  | { readonly kind: 'failed'; readonly target: string; readonly reason: string }

export interface VerifyDesk {
  /** Ends when every target was compared; an abort ends it early and leaves what was owed again by then. */
  verify(request: VerifyRequest, signal: AbortSignal): AsyncIterable<VerifyEvent>
}

/** Names per question; a configuration has at most 64 targets. */
const namesMax = 1000
/** Linux takes no longer path in one call (PATH_MAX). Unit: characters. */
const pathLengthMax = 4096

const count = z.number().min(0)
const scope = z.string().max(pathLengthMax).nullable().default(null)

export const verifyBody: z.ZodType<VerifyRequest> = z.strictObject({
  targets: z.array(z.string().max(pathLengthMax)).max(namesMax).default([]),
  source: scope,
  glob: scope,
  download: z.boolean().default(false),
  repair: z.boolean().default(false),
})

const difference = z.object({
  kind: z.enum(['missing', 'different', 'renamed', 'extra', 'altered']),
  source: z.string().nullable(),
  path: z.string().nullable(),
  at: z.string(),
  foundAt: z.string().nullable(),
  size: count,
  detail: z.string(),
})

const tally = z.object({
  counts: z.object({ missing: count, different: count, renamed: count, extra: count, altered: count }),
  checked: count,
  owed: count,
  owedBytes: count,
  bytesRead: count,
  repaired: count,
  listed: count,
})

const target = z.string()

export const verifyEvent: z.ZodType<VerifyEvent> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('progress'), target, phase: z.enum(['listing', 'comparing']), done: count }),
  z.object({ kind: z.literal('difference'), target, difference }),
  z.object({ kind: z.literal('done'), target, tally }),
  z.object({ kind: z.literal('failed'), target, reason: z.string() }),
])
