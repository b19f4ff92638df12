/** The YAML text of a configuration: plain values out, the place of each value on demand, and the traps of YAML said in words. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Node,
  type YAMLError,
} from 'yaml'
import { asError } from '../base/errors.ts'
import type { Problem, Where } from './problems.ts'

/** Aliases in one file; each may repeat a whole block, and blocks repeating blocks grow without end. */
const aliasesMax = 100

export interface ConfigText {
  /** The plain value; undefined where the text is no usable YAML. */
  readonly value: unknown
  /** Everything that is wrong with the text as YAML. */
  readonly problems: readonly Problem[]
  /** A problem at the value of `where`, or at the key itself where `atKey`; the nearest place above it where there is none. */
  problemAt(where: Where, message: string, options?: { atKey?: boolean }): Omit<Problem, 'key'>
  /** The line of the value of `where`, from 1. */
  lineOf(where: Where): number
}

export function readText(file: string, text: string): ConfigText {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2', logLevel: 'error' })
  const at = (offset: number, message: string): Omit<Problem, 'key'> => {
    // An empty text has no lines yet.
    const { line, col } = text === '' ? { line: 1, col: 1 } : lines.linePos(Math.min(offset, text.length))
    return { file, line, column: Math.max(1, col), message }
  }
  const faults = [...document.errors, ...document.warnings].map((error) => at(error.pos[0], explain(error, text)))
  if (faults.length === 0) faults.push(...traps(document).map(([offset, message]) => at(offset, message)))
  const placeOf = (where: Where, atKey: boolean): number => offsetOf(document, where, atKey)
  return {
    problems: faults.map((fault) => ({ ...fault, key: '' })),
    value: faults.length === 0 ? document.toJS({ maxAliasCount: aliasesMax }) : undefined,
    problemAt: (where, message, options) => at(placeOf(where, options?.atKey ?? false), message),
    lineOf: (where) => at(placeOf(where, false), '').line,
  }
}

/** The parser's finding, with what the owner most probably wrote. */
function explain(error: YAMLError, text: string): string {
  const before = text.slice(0, error.pos[0])
  const line = before.slice(before.lastIndexOf('\n') + 1)
  if (error.code === 'DUPLICATE_KEY') return 'this key stands twice in one block; keep one of them'
  if (error.code === 'MULTIPLE_DOCS') return 'a second document begins here ("---"); a configuration is one document'
  if (error.code === 'TAB_AS_INDENT') return 'a tab indents this line; indent with spaces'
  if (error.code === 'TAG_RESOLVE_FAILED')
    return `${error.message}; a text that begins with "!" needs quotes, such as "!keep.txt"`
  if (/:\s*\{[a-z]+\}$/.test(line))
    return `${error.message}; a text that begins with "{" needs quotes, such as "{source}/{path}"`
  return `${error.message}; if this is meant as text, put it in quotes`
}

/** What is YAML and yet not what its writer thinks it is. */
function traps(document: Document): [offset: number, message: string][] {
  const found: [number, string][] = []
  let aliasCount = 0
  if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== '1.2')
    found.push([0, 'expected YAML 1.2, got a %YAML directive for another version; leave the directive out'])
  visit(document, {
    Alias: (_, alias) => {
      aliasCount++
      if (alias.resolve(document) === undefined)
        found.push([
          startOf(alias),
          `"*${alias.source}" is an alias of nothing in YAML; a text that begins with "*" needs quotes`,
        ])
    },
    Node: (_, node) => {
      if (isAlias(node)) return
      if (node.tag !== undefined)
        found.push([startOf(node), `the tag ${node.tag} is not used here; write a plain value`])
      if (isScalar(node) && typeof node.value === 'number' && /^[-+]?0[0-9]/.test(node.source ?? ''))
        found.push([
          startOf(node),
          `${node.source ?? ''} would be read as ${node.value}; leave the leading 0 out, or put a text in quotes`,
        ])
    },
  })
  if (found.length === 0) found.push(...expansionFault(document, aliasCount))
  return found
}

/** Tries the expansion of aliases once; one that grows without end or contains itself is refused here. */
function expansionFault(document: Document, aliasCount: number): [number, string][] {
  if (aliasCount === 0) return []
  try {
    JSON.stringify(document.toJS({ maxAliasCount: aliasesMax }))
    return []
  } catch (thrown) {
    return [
      [
        0,
        `the aliases of this file cannot be written out (${asError(thrown).message.split('\n')[0] ?? ''}); repeat the text instead`,
      ],
    ]
  }
}

/** The text offset of the value that `where` leads to, or of the last step there is. */
function offsetOf(document: Document, where: Where, atKey: boolean): number {
  let node: unknown = document.contents
  let offset = startOf(document.contents)
  for (const [depth, step] of where.entries()) {
    const inside = isAlias(node) ? node.resolve(document) : node
    const isLast = depth === where.length - 1
    if (isMap(inside)) {
      const pair = inside.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step))
      if (pair === undefined) return offset
      node = pair.value
      offset = startOf(isLast && atKey ? pair.key : (pair.value ?? pair.key)) || startOf(pair.key)
    } else if (isSeq(inside)) {
      node = inside.items[Number(step)]
      offset = startOf(node) || offset
    } else return offset
  }
  return offset
}

function startOf(node: unknown): number {
  return (node as Node | null | undefined)?.range?.[0] ?? 0
}

/** A text of a value that nobody checked yet; one that is empty or holds a zero byte is none. */
export function textIn(value: unknown, key: string): string | undefined {
  const text = entryIn(value, key)
  return typeof text === 'string' && text !== '' && !text.includes('\0') ? text : undefined
}

export function entryIn(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return (value as Record<string, unknown>)[key]
}
