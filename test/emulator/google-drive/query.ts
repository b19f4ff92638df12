/** Google Drive's search language, as far as archivers use it. What an item is stands in items.ts. */
import { type Item, isTrashed } from './items.ts'
import { invalid } from './refusal.ts'

export interface Query {
  holds(item: Item): boolean
  /** Items have to lie in one of these; undefined where the query says nothing of it. */
  readonly parents: readonly string[] | undefined
}

export interface QueryWorld {
  /** What the index of names has of an item: it is behind. */
  nameOf(item: Item): string | undefined
  /** `root` is a name for one. */
  idOf(id: string): string
}

type Token = { readonly kind: 'word' | 'text' | 'sign'; readonly text: string }

/** @throws Refused for what it does not understand */
export function parseQuery(text: string, world: QueryWorld): Query {
  return new QueryReader(text, world).read()
}

class QueryReader {
  readonly #tokens: readonly Token[]
  readonly #world: QueryWorld
  #at = 0

  constructor(text: string, world: QueryWorld) {
    this.#tokens = tokensOf(text)
    this.#world = world
  }

  read(): Query {
    const query = this.#or()
    if (this.#at < this.#tokens.length) throw fault()
    return query
  }

  #or(): Query {
    const terms = [this.#and()]
    while (this.#took('or')) terms.push(this.#and())
    const parents = terms.map((term) => term.parents)
    return {
      holds: (item) => terms.some((term) => term.holds(item)),
      parents: parents.every((list) => list !== undefined) ? [...new Set(parents.flat())] : undefined,
    }
  }

  #and(): Query {
    const terms = [this.#term()]
    while (this.#took('and')) terms.push(this.#term())
    return {
      holds: (item) => terms.every((term) => term.holds(item)),
      parents: terms.find((term) => term.parents !== undefined)?.parents,
    }
  }

  #term(): Query {
    if (this.#took('not')) {
      const negated = this.#term()
      return plain((item) => !negated.holds(item))
    }
    if (this.#took('(')) {
      const inner = this.#or()
      this.#expect(')')
      return inner
    }
    const token = this.#next()
    if (token.kind === 'text') return this.#in(token.text)
    if (token.kind === 'word') return plain(this.#comparison(token.text))
    throw fault()
  }

  #in(value: string): Query {
    this.#expect('in')
    this.#expect('parents')
    const id = this.#world.idOf(value)
    return { holds: ({ parent }) => parent?.id === id, parents: [id] }
  }

  #comparison(field: string): (item: Item) => boolean {
    const operator = this.#next().text
    switch (field) {
      case 'trashed': {
        const wanted = this.#next().text === 'true'
        return (item) => (isTrashed(item) === wanted) === (operator === '=')
      }
      case 'name': {
        const wanted = this.#text().toLowerCase()
        const named = (item: Item): string | undefined => this.#world.nameOf(item)?.toLowerCase()
        if (operator === 'contains') return (item) => named(item)?.startsWith(wanted) === true
        return (item) => (named(item) === wanted) === (operator === '=')
      }
      case 'mimeType': {
        const wanted = this.#text()
        return (item) => (item.mimeType === wanted) === (operator === '=')
      }
      case 'modifiedTime':
        return compared(operator, Date.parse(`${this.#text().replace(/Z$/, '')}Z`), ({ modifiedMs }) => modifiedMs)
      case 'appProperties':
      case 'properties':
        return this.#has(field)
      default:
        throw fault()
    }
  }

  #has(field: 'appProperties' | 'properties'): (item: Item) => boolean {
    this.#expect('{')
    this.#expect('key')
    this.#expect('=')
    const key = this.#text()
    this.#expect('and')
    this.#expect('value')
    this.#expect('=')
    const value = this.#text()
    this.#expect('}')
    return (item) => item[field][key] === value
  }

  #next(): Token {
    const token = this.#tokens[this.#at]
    if (token === undefined) throw fault()
    this.#at += 1
    return token
  }

  #text(): string {
    const token = this.#next()
    if (token.kind !== 'text') throw fault()
    return token.text
  }

  #took(word: string): boolean {
    const token = this.#tokens[this.#at]
    if (token === undefined || token.kind === 'text' || token.text !== word) return false
    this.#at += 1
    return true
  }

  #expect(word: string): void {
    if (!this.#took(word)) throw fault()
  }
}

function plain(holds: (item: Item) => boolean): Query {
  return { holds, parents: undefined }
}

function compared(operator: string, wanted: number, value: (item: Item) => number): (item: Item) => boolean {
  if (Number.isNaN(wanted)) throw fault()
  const tests: Readonly<Record<string, (given: number) => boolean>> = {
    '=': (given) => given === wanted,
    '!=': (given) => given !== wanted,
    '>=': (given) => given >= wanted,
    '<=': (given) => given <= wanted,
    '>': (given) => given > wanted,
    '<': (given) => given < wanted,
  }
  const test = tests[operator]
  if (test === undefined) throw fault()
  return (item) => test(value(item))
}

const tokenForm = /\s*(?:'((?:[^'\\]|\\.)*)'|([A-Za-z]+)|(>=|<=|!=|[=<>(){}]))/gsy

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = []
  tokenForm.lastIndex = 0
  while (text.slice(tokenForm.lastIndex).trim() !== '') {
    const from = tokenForm.lastIndex
    const found = tokenForm.exec(text)
    if (found === null || tokenForm.lastIndex === from) throw fault()
    const [, quoted, word, sign] = found
    if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted.replace(/\\(.)/gs, '$1') })
    else if (word !== undefined) tokens.push({ kind: 'word', text: word })
    else tokens.push({ kind: 'sign', text: sign ?? '' })
  }
  return tokens
}

function fault(): Error {
  return invalid('Invalid Value')
}
