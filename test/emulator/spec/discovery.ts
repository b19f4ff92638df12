/** Checks Google's JSON against its discovery document, so that the emulator cannot lie. Knows no method's meaning. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** What a value is not, and where. */
export class DiscoveryFault extends Error {}

interface Schema {
  readonly $ref?: string | undefined
  readonly type?: string | undefined
  readonly format?: string | undefined
  readonly properties?: Readonly<Record<string, Schema>> | undefined
  readonly additionalProperties?: Schema | undefined
  readonly items?: Schema | undefined
}

const schema: z.ZodType<Schema> = z.lazy(() =>
  z.object({
    $ref: z.string().optional(),
    type: z.string().optional(),
    format: z.string().optional(),
    properties: z.record(z.string(), schema).optional(),
    additionalProperties: schema.optional(),
    items: schema.optional(),
  }),
)
const document = z.object({
  methods: z.record(z.string(), z.object({ response: z.string().optional() })),
  schemas: z.record(z.string(), schema),
})

/** Forms of `format` that are texts in JSON. */
const textForms: Readonly<Record<string, RegExp>> = {
  int64: /^-?\d{1,19}$/,
  uint64: /^\d{1,20}$/,
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/,
}

export class Discovery {
  readonly #methods: z.output<typeof document>['methods']
  readonly #schemas: Readonly<Record<string, Schema>>

  constructor(file = new URL('google-drive.discovery.json', import.meta.url)) {
    const { methods, schemas } = document.parse(JSON.parse(readFileSync(file, 'utf8')))
    this.#methods = methods
    this.#schemas = schemas
  }

  /** Whole objects are never required: `fields` leaves out what nobody asked for. @throws DiscoveryFault */
  checkResponse(method: string, value: unknown): void {
    const found = this.#methods[method]
    if (found === undefined) throw new DiscoveryFault(`no method ${method}`)
    if (found.response !== undefined) this.check(found.response, value)
  }

  /** Any schema by its name. @throws DiscoveryFault */
  check(name: string, value: unknown): void {
    this.#value({ $ref: name }, value, name)
  }

  #value(type: Schema, value: unknown, where: string): void {
    if (type.$ref !== undefined) return this.#value(this.#schema(type.$ref), value, where)
    switch (type.type) {
      case 'object':
        return this.#object(type, value, where)
      case 'array':
        if (!Array.isArray(value)) throw fault(where, 'a list', value)
        for (const [index, item] of value.entries()) this.#value(type.items ?? {}, item, `${where}[${index}]`)
        return
      case 'string':
        return checkText(type, value, where)
      case 'boolean':
        if (typeof value !== 'boolean') throw fault(where, 'a boolean', value)
        return
      case 'integer':
      case 'number':
        if (typeof value !== 'number') throw fault(where, 'a number', value)
        return
      case undefined:
      default:
        return
    }
  }

  #object(type: Schema, value: unknown, where: string): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault(where, 'an object', value)
    for (const [key, item] of Object.entries(value)) {
      const property = type.properties?.[key] ?? type.additionalProperties
      if (property === undefined) throw new DiscoveryFault(`${where}: unknown property '${key}'`)
      this.#value(property, item, `${where}.${key}`)
    }
  }

  #schema(name: string): Schema {
    const found = this.#schemas[name]
    if (found === undefined) throw new Error(`the discovery document has no ${name}`)
    return found
  }
}

function checkText({ format }: Schema, value: unknown, where: string): void {
  if (typeof value !== 'string') throw fault(where, 'a text', value)
  const form = textForms[format ?? '']
  if (form !== undefined && !form.test(value)) throw fault(where, `a text of format ${format ?? ''}`, value)
}

function fault(where: string, expected: string, value: unknown): DiscoveryFault {
  return new DiscoveryFault(`${where}: expected ${expected}, got ${JSON.stringify(value)}`)
}
