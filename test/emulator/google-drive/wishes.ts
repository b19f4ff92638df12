/** File resources as clients send them, read into what items understand. */
import { z } from 'zod'
import type { Wish } from './items.ts'
import { invalid } from './refusal.ts'

const map = z.record(z.string(), z.string().nullable())
const shape = z.looseObject({
  id: z.string().optional(),
  name: z.string().optional(),
  mimeType: z.string().optional(),
  parents: z.array(z.string()).max(1).optional(),
  modifiedTime: z.string().optional(),
  createdTime: z.string().optional(),
  description: z.string().optional(),
  appProperties: map.optional(),
  properties: map.optional(),
  trashed: z.boolean().optional(),
})

export interface SentFile {
  readonly id: string | undefined
  readonly parents: readonly string[] | undefined
  readonly wish: Wish
}

/** Source: Drive, custom file properties. Unit: bytes of key and value in UTF-8. */
const propertyBytesMax = 124

/** @throws Refused for what is no file */
export function sentFile(text: string): SentFile {
  const { id, parents, modifiedTime, createdTime, ...rest } = parsed(text)
  for (const [key, value] of Object.entries(rest.appProperties ?? {})) {
    if (Buffer.byteLength(key + (value ?? '')) > propertyBytesMax) throw invalid('The property is too long.')
  }
  const { name, mimeType, description, appProperties, properties, trashed } = rest
  const wish = { name, mimeType, description, appProperties, properties, trashed }
  return { id, parents, wish: { ...wish, modifiedMs: msOf(modifiedTime), createdMs: msOf(createdTime) } }
}

function parsed(text: string): z.output<typeof shape> {
  try {
    return shape.parse(text === '' ? {} : JSON.parse(text))
  } catch {
    throw invalid('Parse Error')
  }
}

/** Cut to the millisecond. */
function msOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) throw invalid(`Invalid value for: Invalid format: "${text}"`)
  return ms
}
