/** Checks Graph's JSON against its CSDL: names, types and required properties of answers and bodies. Knows no route's meaning but what it answers. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** What a value is not, and where. */
export class CsdlFault extends Error {}

const property = z.object({ type: z.string(), nullable: z.boolean() })
const definition = z.object({
  kind: z.enum(['EntityType', 'ComplexType']),
  base: z.string().optional(),
  open: z.boolean().optional(),
  properties: z.record(z.string(), property),
})
const document = z.object({ types: z.record(z.string(), definition) })
type Property = z.output<typeof property>
type Json = Readonly<Record<string, unknown>>

/** What a route answers; `many` is a collection in `value` with its links. */
const answers: Readonly<Record<string, { readonly type: string; readonly many?: true }>> = {
  drive: { type: 'drive' },
  drives: { type: 'drive', many: true },
  approot: { type: 'driveItem' },
  item: { type: 'driveItem' },
  update: { type: 'driveItem' },
  commit: { type: 'driveItem' },
  'commit-session': { type: 'driveItem' },
  upload: { type: 'driveItem' },
  'create-folder': { type: 'driveItem' },
  children: { type: 'driveItem', many: true },
  delta: { type: 'driveItem', many: true },
  versions: { type: 'driveItemVersion', many: true },
  'create-session': { type: 'uploadSession' },
  session: { type: 'uploadSession' },
}

const isType: Readonly<Record<string, (value: unknown) => boolean>> = {
  'Edm.String': (value) => typeof value === 'string',
  'Edm.Boolean': (value) => typeof value === 'boolean',
  'Edm.Int32': (value) => Number.isInteger(value) && Math.abs(Number(value)) < 2 ** 31,
  'Edm.Int64': (value) => Number.isSafeInteger(value),
  'Edm.DateTimeOffset': (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value),
}

export class Csdl {
  readonly #types: Readonly<Record<string, z.output<typeof definition>>>

  constructor(file = new URL('onedrive.csdl.json', import.meta.url)) {
    this.#types = document.parse(JSON.parse(readFileSync(file, 'utf8'))).types
  }

  /** The last fragment answers an item, the others how far the session is. @throws CsdlFault */
  checkAnswer(route: string, value: unknown): void {
    const answer = route === 'fragment' ? { type: hasKey(value, 'id') ? 'driveItem' : 'uploadSession' } : answers[route]
    if (answer === undefined) return
    if (!('many' in answer)) return this.check(answer.type, value)
    const { value: entries, ...links } = asObject(value, route)
    if (!Array.isArray(entries)) throw new CsdlFault(`${route}: expected a list in 'value'`)
    for (const name of Object.keys(links)) {
      if (!name.startsWith('@odata.')) throw new CsdlFault(`${route}: unknown field '${name}'`)
    }
    for (const [at, entry] of entries.entries()) this.check(answer.type, entry, `value[${at}]`)
  }

  /** A cut-down item has what was selected; what is there has to be right. @throws CsdlFault */
  check(type: string, value: unknown, where = type): void {
    const known = this.#properties(type)
    // Items are open too, but what we write of them is known.
    const isOpen = this.#types[type]?.kind === 'ComplexType' && this.#types[type].open === true
    for (const [name, part] of Object.entries(asObject(value, where))) {
      if (name.startsWith('@')) continue
      const found = known[name]
      if (found === undefined && isOpen) continue
      if (found === undefined) throw new CsdlFault(`${where}: unknown field '${name}' of ${type}`)
      this.#checkProperty(found, part, `${where}.${name}`)
    }
  }

  #checkProperty({ type, nullable }: Property, value: unknown, where: string): void {
    if (value === null && nullable) return
    const item = /^Collection\((.+)\)$/.exec(type)?.[1]
    if (item === undefined) return this.#checkValue(type, value, where)
    if (!Array.isArray(value)) throw new CsdlFault(`${where}: expected a list`)
    for (const [at, each] of value.entries()) this.#checkValue(item, each, `${where}[${at}]`)
  }

  #checkValue(type: string, value: unknown, where: string): void {
    const fits = isType[type] ?? (type === 'String' ? isType['Edm.String'] : undefined)
    if (fits === undefined) return this.check(type, value, where)
    if (!fits(value)) throw new CsdlFault(`${where}: expected ${type}, got ${JSON.stringify(value)}`)
  }

  #properties(type: string): Readonly<Record<string, Property>> {
    const found = this.#types[type]
    if (found === undefined) throw new CsdlFault(`no type ${type}`)
    return { ...(found.base === undefined ? {} : this.#properties(found.base)), ...found.properties }
  }
}

function asObject(value: unknown, where: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw new CsdlFault(`${where}: expected an object, got ${JSON.stringify(value)}`)
}

function hasKey(value: unknown, key: string): boolean {
  return typeof value === 'object' && value !== null && key in value
}
