/** `fields`: which parts of an answer are sent. Knows no part's meaning. */
import { invalid } from './refusal.ts'

type Json = Readonly<Record<string, unknown>>
/** `true`: all of it. */
type Mask = true | ReadonlyMap<string, Mask>

const masks = new Map<string, Mask>()
/** Clients use few texts; a test may use many. */
const masksMax = 1000

/** What `fields` asks for of a value. @throws Refused for a text that is no mask */
export function projected(value: Json, fields: string): unknown {
  let mask = masks.get(fields)
  if (mask === undefined) {
    mask = new MaskReader(fields).read()
    if (masks.size >= masksMax) masks.clear()
    masks.set(fields, mask)
  }
  return pick(value, mask)
}

function pick(value: unknown, mask: Mask): unknown {
  if (mask === true || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => pick(item, mask))
  if (mask.has('*')) return value
  const picked: Record<string, unknown> = {}
  for (const [key, inner] of mask) {
    const part = (value as Json)[key]
    if (part !== undefined) picked[key] = pick(part, inner)
  }
  return picked
}

/** `a,b(c,d/e),*` */
class MaskReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text.replace(/\s/g, '')
  }

  read(): Mask {
    const mask = this.#list()
    if (this.#at < this.#text.length) throw this.#fault()
    return mask
  }

  #list(): ReadonlyMap<string, Mask> {
    const mask = new Map<string, Mask>()
    do {
      const [name, inner] = this.#item()
      const known = mask.get(name)
      mask.set(name, known === undefined || known === true || inner === true ? inner : new Map([...known, ...inner]))
    } while (this.#took(','))
    return mask
  }

  #item(): [string, Mask] {
    const name = /^(?:\*|[A-Za-z0-9_.-]+)/.exec(this.#text.slice(this.#at))?.[0]
    if (name === undefined) throw this.#fault()
    this.#at += name.length
    if (this.#took('/')) return [name, new Map([this.#item()])]
    if (!this.#took('(')) return [name, true]
    const inner = this.#list()
    if (!this.#took(')')) throw this.#fault()
    return [name, inner]
  }

  #took(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at += 1
    return true
  }

  #fault(): Error {
    return invalid(`Invalid field selection ${this.#text}`)
  }
}
