/** Checks Dropbox's JSON against its Stone description: arguments as its servers do, answers so that the emulator cannot lie. Knows no route's meaning. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** What a value is not, and where. */
export class StoneFault extends Error {}

const limits = {
  min_length: z.number().optional(),
  max_length: z.number().optional(),
  min_value: z.number().optional(),
  max_value: z.number().optional(),
  min_items: z.number().optional(),
  max_items: z.number().optional(),
  pattern: z.string().optional(),
  format: z.string().optional(),
}
interface Limits {
  readonly min_length?: number | undefined
  readonly max_length?: number | undefined
  readonly min_value?: number | undefined
  readonly max_value?: number | undefined
  readonly min_items?: number | undefined
  readonly max_items?: number | undefined
  readonly pattern?: string | undefined
  readonly format?: string | undefined
}
type StoneType =
  | ({ readonly prim: string } & Limits)
  | ({ readonly list: StoneType } & Limits)
  | { readonly map: readonly StoneType[] }
  | { readonly nullable: StoneType }
  | { readonly ref: string }

const stoneType: z.ZodType<StoneType> = z.lazy(() =>
  z.union([
    z.object({ prim: z.string(), ...limits }),
    z.object({ list: stoneType, ...limits }),
    z.object({ map: z.array(stoneType) }),
    z.object({ nullable: stoneType }),
    z.object({ ref: z.string() }),
  ]),
)
const reference = z.object({ ref: z.string() })
const definition = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('struct'),
    fields: z.record(z.string(), z.object({ type: stoneType, default: z.unknown().optional() })),
    extends: z.string().optional(),
    subtypes: z.record(z.string(), reference).optional(),
  }),
  z.object({
    kind: z.literal('union'),
    tags: z.record(z.string(), stoneType.nullable()),
    /** More tags may come; until then there is `other`. */
    open: z.boolean().default(false),
    extends: z.string().optional(),
  }),
  z.object({ kind: z.literal('alias'), type: stoneType }),
])
type Definition = z.output<typeof definition>
type Struct = Extract<Definition, { kind: 'struct' }>
type Union = Extract<Definition, { kind: 'union' }>

const routeSchema = z.object({
  path: z.string(),
  arg: stoneType,
  result: stoneType,
  error: stoneType,
  attrs: z.object({ host: z.string().optional(), style: z.string().optional(), scope: z.string().optional() }),
})
type StoneRoute = z.output<typeof routeSchema>
const document = z.object({ routes: z.array(routeSchema), types: z.record(z.string(), definition) })

type Json = Readonly<Record<string, unknown>>
/** An argument's unions may be bare strings and its defaults left out; an answer says all in full. */
type Way = 'argument' | 'answer'

export class Stone {
  readonly #routes: ReadonlyMap<string, StoneRoute>
  readonly #types: Readonly<Record<string, Definition>>
  readonly #patterns = new Map<string, RegExp>()

  constructor(file = new URL('dropbox.stone.json', import.meta.url)) {
    const { routes, types } = document.parse(JSON.parse(readFileSync(file, 'utf8')))
    this.#routes = new Map(routes.map((route) => [route.path, route]))
    this.#types = types
  }

  route(path: string): StoneRoute {
    const route = this.#routes.get(path)
    if (route === undefined) throw new StoneFault(`no route ${path}`)
    return route
  }

  /** The argument with its defaults filled in and every union as an object with `.tag`. @throws StoneFault */
  argument(path: string, value: unknown): unknown {
    return this.#value(this.route(path).arg, value, '', 'argument')
  }

  /** @throws StoneFault */
  checkResult(path: string, value: unknown): void {
    this.#value(this.route(path).result, value, '', 'answer')
  }

  /** The `error` of a 409. @throws StoneFault */
  checkError(path: string, value: unknown): void {
    this.#value(this.route(path).error, value, '', 'answer')
  }

  /** Any type by its name, as "auth.AuthError". @throws StoneFault */
  check(name: string, value: unknown): void {
    this.#value({ ref: name }, value, '', 'answer')
  }

  #value(type: StoneType, value: unknown, where: string, way: Way): unknown {
    if ('nullable' in type)
      return value === null || value === undefined ? null : this.#value(type.nullable, value, where, way)
    if ('prim' in type) return this.#primitive(type, value, where)
    if ('list' in type) return this.#list(type, value, where, way)
    if ('map' in type) return asObject(value, where)
    const found = this.#definition(type.ref)
    switch (found.kind) {
      case 'alias':
        return this.#value(found.type, value, where, way)
      case 'union':
        return this.#union(type.ref, found, value, where, way)
      case 'struct':
        return found.subtypes === undefined
          ? this.#struct(type.ref, asObject(value, where), where, way, [])
          : this.#subtype(found, asObject(value, where), where, way)
    }
  }

  #struct(name: string, value: Json, where: string, way: Way, beside: readonly string[]): Json {
    const fields = this.#fields(name)
    for (const key of Object.keys(value)) {
      if (fields[key] === undefined && !beside.includes(key)) throw new StoneFault(`${where}unknown field '${key}'`)
    }
    const whole: Record<string, unknown> = {}
    for (const [key, field] of Object.entries(fields)) {
      const given = value[key]
      if (given !== undefined) whole[key] = this.#value(field.type, given, `${where}${key}: `, way)
      else if (field.default !== undefined) whole[key] = this.#byDefault(field.type, field.default, way)
      else if (!('nullable' in field.type) && !this.#isVoid(field.type)) {
        throw new StoneFault(`${where}missing required field '${key}'`)
      }
    }
    return whole
  }

  #byDefault(type: StoneType, value: unknown, way: Way): unknown {
    return way === 'argument' ? this.#value(type, value, '', way) : value
  }

  #subtype(struct: Struct, value: Json, where: string, way: Way): Json {
    const tag = value['.tag']
    const found = typeof tag === 'string' ? struct.subtypes?.[tag] : undefined
    if (found === undefined) throw new StoneFault(`${where}'.tag' ${String(tag)} is none of its subtypes`)
    return { '.tag': tag, ...this.#struct(found.ref, value, where, way, ['.tag']) }
  }

  #union(name: string, union: Union, value: unknown, where: string, way: Way): Json {
    if (typeof value === 'string' && way === 'argument') return this.#union(name, union, { '.tag': value }, where, way)
    const object = asObject(value, where)
    const tag = object['.tag']
    const tags = this.#tags(name)
    const type = typeof tag === 'string' ? tags[tag] : undefined
    if (typeof tag !== 'string' || type === undefined)
      throw new StoneFault(`${where}'.tag' ${String(tag)} is not in ${name}`)
    if (type === null) return noMore(object, ['.tag'], where, { '.tag': tag })
    const inlined = this.#inlined(type)
    if (inlined !== undefined) return { '.tag': tag, ...this.#struct(inlined, object, where, way, ['.tag']) }
    noMore(object, ['.tag', tag], where, object)
    return { '.tag': tag, [tag]: this.#value(type, object[tag], `${where}${tag}: `, way) }
  }

  /** A struct without subtypes stands beside its tag, everything else below the tag's name. */
  #inlined(type: StoneType): string | undefined {
    if ('nullable' in type) return this.#inlined(type.nullable)
    if (!('ref' in type)) return undefined
    const found = this.#definition(type.ref)
    if (found.kind === 'alias') return this.#inlined(found.type)
    return found.kind === 'struct' && found.subtypes === undefined ? type.ref : undefined
  }

  #list(type: Extract<StoneType, { list: StoneType }>, value: unknown, where: string, way: Way): unknown {
    if (!Array.isArray(value)) throw new StoneFault(`${where}expected list, got ${kindOf(value)}`)
    const { min_items: least = 0, max_items: most = Infinity } = type
    if (value.length < least || value.length > most) {
      throw new StoneFault(`${where}expected ${least} to ${most} items, got ${value.length}`)
    }
    return value.map((item, index) => this.#value(type.list, item, `${where}index ${index}: `, way))
  }

  #primitive(type: Extract<StoneType, { prim: string }>, value: unknown, where: string): unknown {
    const fault = (expected: string): StoneFault => new StoneFault(`${where}expected ${expected}, got ${shown(value)}`)
    switch (type.prim) {
      case 'Void':
        if (value !== null && value !== undefined) throw fault('null')
        return null
      case 'Boolean':
        if (typeof value !== 'boolean') throw fault('boolean')
        return value
      case 'String':
        if (typeof value !== 'string') throw fault('string')
        this.#text(type, value, where)
        return value
      case 'Timestamp':
        if (typeof value !== 'string' || !isTimestamp(value)) throw fault(`a time of the format ${type.format ?? ''}`)
        return value
      default:
        if (typeof value !== 'number' || !isInRange(type, value)) throw fault(`${type.prim} within its limits`)
        return value
    }
  }

  #text(type: Limits, value: string, where: string): void {
    const length = Array.from(value).length
    const { min_length: least = 0, max_length: most = Infinity, pattern } = type
    if (length < least || length > most)
      throw new StoneFault(`${where}expected ${least} to ${most} characters, got ${length}`)
    if (pattern !== undefined && !this.#pattern(pattern).test(value)) {
      throw new StoneFault(`${where}'${value}' did not match pattern '${pattern}'`)
    }
  }

  #pattern(source: string): RegExp {
    // Both mean anything at all; written as they are in the description, newlines make them slow beyond measure.
    const found = this.#patterns.get(source) ?? new RegExp(`^(?:${source.replaceAll('(.|[\\r\\n])*', '[^]*')})$`, 's')
    this.#patterns.set(source, found)
    return found
  }

  #definition(name: string): Definition {
    const found = this.#types[name]
    if (found === undefined) throw new Error(`the Stone description has no ${name}`)
    return found
  }

  #fields(name: string): Struct['fields'] {
    const found = this.#definition(name)
    if (found.kind !== 'struct') throw new Error(`${name} is no struct`)
    return found.extends === undefined ? found.fields : { ...this.#fields(found.extends), ...found.fields }
  }

  #tags(name: string): Union['tags'] {
    const found = this.#definition(name)
    if (found.kind !== 'union') throw new Error(`${name} is no union`)
    const below = found.extends === undefined ? {} : this.#tags(found.extends)
    return { ...below, ...found.tags, ...(found.open ? { other: null } : {}) }
  }

  #isVoid(type: StoneType): boolean {
    return 'prim' in type && type.prim === 'Void'
  }
}

function noMore(object: Json, keys: readonly string[], where: string, result: Json): Json {
  const unknown = Object.keys(object).find((key) => !keys.includes(key))
  if (unknown !== undefined) throw new StoneFault(`${where}unknown field '${unknown}'`)
  return result
}

function asObject(value: unknown, where: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new StoneFault(`${where}expected object, got ${kindOf(value)}`)
  }
  return value as Json
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'list' : typeof value
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value)
}

const integers: Readonly<Record<string, readonly [number, number]>> = {
  UInt32: [0, 2 ** 32 - 1],
  UInt64: [0, 2 ** 64],
  Int32: [-(2 ** 31), 2 ** 31 - 1],
  Int64: [-(2 ** 63), 2 ** 63],
}

function isInRange({ prim, min_value, max_value }: Limits & { readonly prim: string }, value: number): boolean {
  const range = integers[prim]
  if (range !== undefined && (!Number.isInteger(value) || value < range[0] || value > range[1])) return false
  return value >= (min_value ?? -Infinity) && value <= (max_value ?? Infinity)
}

/** The only format in use: whole seconds, UTC. */
function isTimestamp(value: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value) && !Number.isNaN(Date.parse(value))
}
