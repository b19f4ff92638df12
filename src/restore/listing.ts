/** Finds out what can be had back: from the journal's receipts, or where there is none, from the targets themselves. Reads no content. */
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import { nameOf, remotePath } from '../base/path.ts'
import type { TargetConfig } from '../config/config.ts'
import type { CopyRecord, Journal } from '../journal/journal.ts'
import { laneOrder, pathRules } from '../pipeline/pipeline.ts'
import { noteName } from '../target/catalogue.ts'
import type { ReadableTarget } from '../target/target.ts'
import { placeReader, type Origin } from './read-places.ts'
import type { CopyAt, Restorable, Wanted, Wish } from './wanted.ts'

/** Receipts read in one turn of the main loop: a few ms. */
const recordsPerTurn = 500

/** A target lent for reading. */
export interface LentTarget {
  readonly target: ReadableTarget
  release(): void
}

export interface ListingParts {
  /** In the order in which they are to be asked. */
  readonly targets: readonly TargetConfig[]
  /** undefined where there is none. */
  readonly journal: Journal | undefined
  /** Whether the journal's receipts are about the place that the configuration names. */
  readonly isKnown: (target: TargetConfig) => boolean
  readonly take: (target: string, signal: AbortSignal) => Promise<LentTarget>
  /** Names of the sources of the configuration. */
  readonly sources: readonly string[]
  /** This host's name, for templates. */
  readonly host: string
  readonly clock: Clock
}

/** Targets of which the journal knows nothing are listed only where it knows nothing of all of them. */
export async function* restorables(
  parts: ListingParts,
  wish: Omit<Wish, 'from'>,
  signal: AbortSignal,
): AsyncGenerator<Restorable, void, undefined> {
  const { journal } = parts
  const known = wish.isBare || journal === undefined ? [] : parts.targets.filter((one) => holdsAny(one, journal, parts))
  const isWanted = wishOf(wish)
  if (journal !== undefined && known.length > 0) {
    const targets = known.map(({ name }) => name)
    const files = wish.glob === null && wish.source === null ? countOf(journal, targets) : null
    yield { kind: 'begin', isBare: false, targets, files }
    for await (const file of fromJournal(journal, targets, wish.withRemoved, parts.clock, signal))
      if (isWanted(file)) yield { kind: 'file', file }
    return
  }
  yield { kind: 'begin', isBare: true, targets: parts.targets.map(({ name }) => name), files: null }
  for (const config of parts.targets) {
    try {
      for await (const file of fromTarget(config, parts, signal)) if (isWanted(file)) yield { kind: 'file', file }
    } catch (thrown) {
      if (signal.aborted || parts.targets.length === 1) throw thrown
      yield { kind: 'unlisted', target: config.name, reason: asError(thrown).message }
    }
  }
}

function holdsAny(config: TargetConfig, journal: Journal, { isKnown }: ListingParts): boolean {
  return isKnown(config) && journal.counts(journal.target(config.name).id).delivered > 0
}

function countOf(journal: Journal, targets: readonly string[]): number {
  return Math.max(...targets.map((name) => journal.counts(journal.target(name).id).delivered))
}

function wishOf({ source, glob }: Omit<Wish, 'from'>): (file: Wanted) => boolean {
  const rules = glob === null ? undefined : pathRules([glob])
  return (file) => {
    if (source !== null && file.source !== source) return false
    // A path as it stands is meant even where its characters mean something to a rule.
    return rules === undefined || file.path === glob || rules(file.path) !== undefined
  }
}

/** The receipts of all targets, merged by file: of several contents the latest is wanted. Memory does not grow with the number of files. */
async function* fromJournal(
  journal: Journal,
  targets: readonly string[],
  withRemoved: boolean,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<Wanted, void, undefined> {
  const receipts = journal.receipts()
  const readers = targets.map((name) => ({
    name,
    next: new Page((after) => receipts.after(journal.target(name).id, after, recordsPerTurn)),
  }))
  for (let turn = 0; ; turn++) {
    if (turn % recordsPerTurn === 0) await clock.sleep(0, signal)
    const heads = readers.flatMap(({ name, next }) => {
      const record = next.head
      return record === undefined ? [] : [{ name, record, next }]
    })
    if (heads.length === 0) return
    const fileId = Math.min(...heads.map(({ record }) => record.fileId))
    const held = heads.filter(({ record }) => record.fileId === fileId)
    for (const { next } of held) next.advance()
    const wanted = merged(held)
    if (wanted !== undefined && (withRemoved || wanted.isPresent)) yield wanted.file
  }
}

/** Records one after the other, a page at a time. */
class Page {
  readonly #read: (after: number) => readonly CopyRecord[]
  #records: readonly CopyRecord[]
  #at = 0

  constructor(read: (after: number) => readonly CopyRecord[]) {
    this.#read = read
    this.#records = read(0)
  }

  get head(): CopyRecord | undefined {
    return this.#records[this.#at]
  }

  advance(): void {
    const last = this.head
    if (last === undefined) return
    if (++this.#at < this.#records.length) return
    this.#records = this.#records.length < recordsPerTurn ? [] : this.#read(last.fileId)
    this.#at = 0
  }
}

interface Held {
  readonly name: string
  readonly record: CopyRecord
}

function merged(held: readonly Held[]): { readonly file: Wanted; readonly isPresent: boolean } | undefined {
  const latest = [...held].sort((one, other) => other.record.receipt.seq - one.record.receipt.seq)[0]
  if (latest === undefined) return undefined
  const { source, path, isPresent, receipt } = latest.record
  const { size, mtimeNs, sha256 } = receipt
  const copies = held.filter(({ record }) => record.receipt.sha256 === sha256).map(copyOf)
  return { file: { source, path, size, mtimeNs, sha256, copies }, isPresent }
}

function copyOf({ name, record: { receipt } }: Held): CopyAt {
  const { remoteId, revision, size, mtimeNs, sha256 } = receipt
  const entry = { path: remotePath(receipt.path), remoteId, revision, size, mtimeNs, sha256, contentHash: undefined }
  return { target: name, entry }
}

async function* fromTarget(
  config: TargetConfig,
  { take, sources, host, clock }: ListingParts,
  signal: AbortSignal,
): AsyncGenerator<Wanted, void, undefined> {
  const order = laneOrder(config, { clock, host })
  const going = config.select.sources ?? sources
  const originOf = placeReader({
    template: config.at,
    onlySource: going.length === 1 ? going[0] : undefined,
    placeAt: order.placeAt,
  })
  const lent = await take(config.name, signal)
  try {
    for await (const entry of lent.target.list(remotePath(''), { hash: false }, signal)) {
      // Whose place it is says no copy.
      if (nameOf(entry.path) === noteName) continue
      const { size, mtimeNs, sha256 = null } = entry
      const origin: Origin | { source: null; path: string } = originOf(entry.path, mtimeNs) ?? {
        source: null,
        path: entry.path,
      }
      yield { ...origin, size, mtimeNs, sha256, copies: [{ target: config.name, entry }] }
    }
  } finally {
    lent.release()
  }
}
