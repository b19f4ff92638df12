/** What a route answers before it is put on the wire, and what routes read of a request. */
import { z } from 'zod'
import type { Exchange } from '../core/exchange.ts'
import type { AnswerStream } from '../core/provider.ts'
import { miniJson, type Json } from './objects.ts'
import type { Account } from './account.ts'
import { Refused } from './refusal.ts'
import { type Item, NameInUse } from './tree.ts'

export interface Outcome {
  readonly status: number
  /** JSON; undefined for an empty body. */
  readonly value?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly stream?: AnswerStream
}

/** The JSON of a request. @throws Refused bad_request */
export async function asked<Shape>(exchange: Exchange, shape: z.ZodType<Shape>): Promise<Shape> {
  const text = await exchange.text()
  exchange.record.words = text.slice(0, wordsMax)
  return parsedAs(text, shape)
}

/** Of a request, for the record. Unit: characters. */
const wordsMax = 2000

export function parsedAs<Shape>(text: string, shape: z.ZodType<Shape>): Shape {
  try {
    return shape.parse(text === '' ? {} : JSON.parse(text))
  } catch (cause) {
    throw new Refused(400, 'bad_request', {
      context: { errors: [{ reason: 'invalid_parameter', message: String(cause) }] },
    })
  }
}

export const reference = z.object({ id: z.string() })

/** @throws Refused precondition_failed */
export function expectMatch(item: Item, { headers }: Exchange): void {
  const wanted = headers['if-match']
  if (wanted !== undefined && wanted !== String(item.etag)) throw new Refused(412, 'precondition_failed')
}

/** Runs `work`; a name that is taken is refused as Box does: with an array of folders, with one object for a file. */
export function naming<Result>(account: Account, exchange: Exchange, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    if (error instanceof NameInUse) throw nameInUse(error.held, account, exchange)
    throw error
  }
}

function nameInUse(held: Item, { rules }: Account, exchange: Exchange): Refused {
  const conflict: Json = miniJson(held, exchange)
  const isArray = held.kind === 'folder' || rules.fileConflicts === 'array'
  return new Refused(409, 'item_name_in_use', { context: { conflicts: isArray ? [conflict] : conflict } })
}

/** Where a client finds another host of this service: by the real name through the proxy, else here. */
export function originOf(exchange: Exchange, real: string): string {
  const isProxied = /\.(box|boxcloud)\.com$/.test(exchange.host)
  return isProxied ? `https://${real}` : `http://${exchange.headers.host ?? ''}`
}
