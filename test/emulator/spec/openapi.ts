/** Checks a provider's answers against its OpenAPI 3.0 description, so that the emulator cannot lie. Knows no route's meaning. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** What a value is not, and where. */
export class OpenApiFault extends Error {}

interface Schema {
  readonly $ref?: string | undefined
  readonly type?: string | undefined
  readonly format?: string | undefined
  readonly nullable?: boolean | undefined
  readonly enum?: readonly unknown[] | undefined
  readonly properties?: Readonly<Record<string, Schema>> | undefined
  readonly required?: readonly string[] | undefined
  readonly additionalProperties?: Schema | boolean | undefined
  readonly items?: Schema | undefined
  readonly allOf?: readonly Schema[] | undefined
  readonly anyOf?: readonly Schema[] | undefined
  readonly oneOf?: readonly Schema[] | undefined
  readonly maxLength?: number | undefined
  readonly minItems?: number | undefined
  readonly maxItems?: number | undefined
}

const schema: z.ZodType<Schema> = z.lazy(() =>
  z.object({
    $ref: z.string().optional(),
    type: z.string().optional(),
    format: z.string().optional(),
    nullable: z.boolean().optional(),
    enum: z.array(z.unknown()).optional(),
    properties: z.record(z.string(), schema).optional(),
    required: z.array(z.string()).optional(),
    additionalProperties: z.union([z.boolean(), schema]).optional(),
    items: schema.optional(),
    allOf: z.array(schema).optional(),
    anyOf: z.array(schema).optional(),
    oneOf: z.array(schema).optional(),
    maxLength: z.number().optional(),
    minItems: z.number().optional(),
    maxItems: z.number().optional(),
  }),
)
const response = z.object({ content: z.record(z.string(), z.object({ schema })).optional() })
const document = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.object({ responses: z.record(z.string(), response) }))),
  components: z.object({ schemas: z.record(z.string(), schema) }),
})

export class OpenApi {
  readonly #document: z.output<typeof document>
  readonly #ignored: ReadonlySet<string>

  /** @param ignored properties that the description is known to be wrong about, by their names. */
  constructor(file: URL, ignored: readonly string[] = []) {
    this.#document = document.parse(JSON.parse(readFileSync(file, 'utf8')))
    this.#ignored = new Set(ignored)
  }

  /** @param path as described: `/files/{file_id}`. @param value undefined for an empty body. @throws OpenApiFault */
  checkAnswer(method: string, path: string, status: number, value: unknown): void {
    const where = `${method} ${path} ${status}`
    const responses = this.#document.paths[path]?.[method.toLowerCase()]?.responses
    if (responses === undefined) throw new OpenApiFault(`${where}: there is no such call`)
    const found = responses[String(status)] ?? responses['default']
    if (found === undefined) throw new OpenApiFault(`${where}: the description knows no such status`)
    const [content] = Object.values(found.content ?? {})
    if (content === undefined && value !== undefined) throw new OpenApiFault(`${where}: expected an empty body`)
    if (content !== undefined) this.#check(content.schema, value, where)
  }

  /** Any schema by its name. @throws OpenApiFault */
  check(name: string, value: unknown): void {
    this.#check({ $ref: `#/components/schemas/${name}` }, value, name)
  }

  #check(wanted: Schema, value: unknown, where: string): void {
    if (value === null) {
      if (!this.#mayBeNull(wanted)) throw expected(where, 'something', value)
      return
    }
    if (wanted.$ref !== undefined) this.#check(this.#resolve(wanted.$ref), value, where)
    for (const part of wanted.allOf ?? []) this.#check(part, value, where)
    this.#checkOne(wanted.oneOf ?? wanted.anyOf, value, where)
    if (wanted.enum?.includes(value) === false) throw expected(where, `one of ${wanted.enum.join(', ')}`, value)
    this.#checkType(wanted, value, where)
  }

  /** Of members told apart by their type: the first fault of the best one is not known, so all are told. */
  #checkOne(members: readonly Schema[] | undefined, value: unknown, where: string): void {
    if (members === undefined) return
    const faults: string[] = []
    for (const member of members) {
      try {
        return this.#check(member, value, where)
      } catch (error) {
        faults.push(String(error))
      }
    }
    throw new OpenApiFault(`${where}: fits none of ${members.length}: ${faults.join('; ')}`)
  }

  #checkType(wanted: Schema, value: unknown, where: string): void {
    const type = wanted.type ?? (wanted.properties === undefined ? undefined : 'object')
    switch (type) {
      case 'object':
        return this.#checkObject(wanted, value, where)
      case 'array':
        return this.#checkArray(wanted, value, where)
      case 'string':
        return checkString(wanted, value, where)
      case 'integer':
        if (!Number.isInteger(value)) throw expected(where, 'an integer', value)
        if (wanted.format === 'int32' && Math.abs(Number(value)) >= 2 ** 31) throw expected(where, 'an int32', value)
        return
      case 'number':
      case 'boolean':
        if (typeof value !== type) throw expected(where, type, value)
        return
      case undefined:
      default:
        if (value === undefined) throw expected(where, 'something', value)
    }
  }

  #checkObject({ properties = {}, required = [], additionalProperties }: Schema, value: unknown, where: string): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw expected(where, 'an object', value)
    for (const name of required) if (!(name in value)) throw new OpenApiFault(`${where}: ${name} is missing`)
    for (const [name, inner] of Object.entries(value)) {
      if (this.#ignored.has(name)) continue
      const wanted = properties[name] ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined)
      if (wanted !== undefined) this.#check(wanted, inner, `${where}: ${name}`)
    }
  }

  #checkArray({ items, minItems = 0, maxItems = Infinity }: Schema, value: unknown, where: string): void {
    if (!Array.isArray(value)) throw expected(where, 'an array', value)
    if (value.length < minItems || value.length > maxItems)
      throw new OpenApiFault(`${where}: expected ${minItems} to ${maxItems} items, got ${value.length}`)
    if (items !== undefined) for (const [at, item] of value.entries()) this.#check(items, item, `${where}[${at}]`)
  }

  /** Box writes "nullable" as a member of its own beside the type: one that says so is enough. What says nothing allows nothing. */
  #mayBeNull(wanted: Schema): boolean {
    if (wanted.nullable !== undefined) return wanted.nullable
    if (wanted.$ref !== undefined) return this.#mayBeNull(this.#resolve(wanted.$ref))
    return [...(wanted.allOf ?? []), ...(wanted.oneOf ?? []), ...(wanted.anyOf ?? [])].some((part) =>
      this.#mayBeNull(part),
    )
  }

  #resolve(reference: string): Schema {
    const name = reference.replace('#/components/schemas/', '')
    const found = this.#document.components.schemas[name]
    if (found === undefined) throw new OpenApiFault(`no schema ${name}`)
    return found
  }
}

/** RFC 3339, as all times of these services. */
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/

function checkString({ format, maxLength = Infinity }: Schema, value: unknown, where: string): void {
  if (typeof value !== 'string') throw expected(where, 'a string', value)
  if (value.length > maxLength) throw expected(where, `at most ${maxLength} characters`, value.length)
  if (format === 'date-time' && !time.test(value)) throw expected(where, 'a time', value)
  if (format === 'digest' && !/^[0-9a-f]{40}$/.test(value)) throw expected(where, 'a SHA-1 in hex', value)
}

function expected(where: string, what: string, value: unknown): OpenApiFault {
  return new OpenApiFault(`${where}: expected ${what}, got ${value === undefined ? 'nothing' : JSON.stringify(value)}`)
}
