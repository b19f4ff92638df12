/**
 * Compares what the journal believes of one target with what is there: by a listing, and where that does not prove a copy by a look at it; on
 * request by its content. Says what it found and owes it again where asked to. What is owed already is judged by nobody.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { nameOf, showPath, type RemotePath } from '../base/path.ts'
import type { Holding, Journal, Listed, Listing, Repair, StoredReceipt } from '../journal/journal.ts'
import { noteName } from '../target/catalogue.ts'
import { TargetError, type RemoteEntry, type Target } from '../target/target.ts'
import type { LaneOrder } from './lane-order.ts'
import { pathRules } from './selector.ts'
import { isAsDelivered, isVersion, survey } from './survey.ts'

/** Files compared in one turn of the main loop: some ms. */
const filesPerPage = 250
/** Looks and contents under way at once: enough to hide their latency, few enough to leave a lane its pace. */
const looksMax = 4
/** What cannot be read is tried so often. */
const readTries = 2

export interface VerifyWish {
  /** Only of this source, or of paths that match; null: all. Strangers are told only where all is compared. */
  readonly source: string | null
  readonly glob: string | null
  /** Whose content is read and held against the sha256. */
  readonly reads: (holding: Holding) => boolean
  /** Owes again what is not as it should be. */
  readonly repair: boolean
}

export type DifferenceKind =
  | 'missing'
  | 'different'
  /** The very object, under another name. */
  | 'renamed'
  /** Nobody of ours put it there. */
  | 'extra'
  /** The provider rewrote it as it came in, and the receipt says so: no difference. */
  | 'altered'

export interface Difference {
  readonly kind: DifferenceKind
  /** null for what is nobody's. */
  readonly source: string | null
  readonly path: string | null
  /** Where it should be at the target, or where it is. */
  readonly at: string
  readonly foundAt: string | null
  /** Bytes of the file, or of what is extra. */
  readonly size: number
  readonly detail: string
}

export interface Tally {
  readonly counts: Readonly<Record<DifferenceKind, number>>
  /** Copies compared. */
  readonly checked: number
  /** Files whose copies are on their way, and were not judged. */
  readonly owed: number
  readonly owedBytes: number
  readonly bytesRead: number
  readonly repaired: number
  /** Entries that the target listed. */
  readonly listed: number
}

export type Finding =
  | { readonly kind: 'progress'; readonly phase: 'listing' | 'comparing'; readonly done: number }
  | { readonly kind: 'difference'; readonly difference: Difference }
  | { readonly kind: 'tally'; readonly tally: Tally }

export interface VerifyParts {
  readonly journal: Journal
  readonly clock: Clock
  readonly name: string
  readonly target: Pick<Target, 'traits' | 'list' | 'look' | 'get'>
  readonly order: Pick<LaneOrder, 'selector' | 'placeAt'>
  /** Below which all copies of this Fanfold are: what lies elsewhere is none of its business. */
  readonly folder: RemotePath
  /** Something is owed that was not before; told at once, since whoever asked may go away before all is compared. */
  readonly onOwed: () => void
}

/** Ends with its tally. @throws TargetError where the target cannot be asked. */
export async function* verification(
  wish: VerifyWish,
  parts: VerifyParts,
  signal: AbortSignal,
): AsyncGenerator<Finding, void, undefined> {
  const listing = parts.journal.holdings.newListing()
  try {
    for await (const done of survey(parts.target, listing, signal)) yield { kind: 'progress', phase: 'listing', done }
    yield* new Verification(wish, parts, listing).run(signal)
  } finally {
    listing.close()
  }
}

/** What is wrong with a copy, and what would put it right. */
interface Verdict {
  readonly kind: DifferenceKind
  readonly detail: string
  readonly moved?: Listed
}

type Believed = Holding & { readonly receipt: StoredReceipt }

class Verification {
  readonly #wish: VerifyWish
  readonly #parts: VerifyParts
  readonly #listing: Listing
  readonly #isMeant: (holding: Holding) => boolean
  readonly #counts: Record<DifferenceKind, number> = { missing: 0, different: 0, renamed: 0, extra: 0, altered: 0 }
  #checked = 0
  #owed = 0
  #owedBytes = 0
  #bytesRead = 0
  #repaired = 0

  constructor(wish: VerifyWish, parts: VerifyParts, listing: Listing) {
    this.#wish = wish
    this.#parts = parts
    this.#listing = listing
    const { source, glob } = wish
    const isMatch = glob === null ? undefined : pathRules([glob])
    this.#isMeant = (holding) =>
      (source === null || source === holding.source) && (isMatch === undefined || isMatch(holding.path) !== undefined)
  }

  async *run(signal: AbortSignal): AsyncGenerator<Finding, void, undefined> {
    const { journal, name, clock } = this.#parts
    let last = 0
    for (;;) {
      const page = journal.holdings.page(name, last, filesPerPage)
      if (page.length === 0) break
      last = page.at(-1)?.fileId ?? last
      yield* this.#comparePage(page, signal)
      yield { kind: 'progress', phase: 'comparing', done: this.#checked }
      await clock.sleep(0, signal)
    }
    if (this.#wish.source === null && this.#wish.glob === null) yield* this.#strangers(signal)
    yield { kind: 'tally', tally: this.#tally() }
  }

  async *#comparePage(page: readonly Holding[], signal: AbortSignal): AsyncGenerator<Finding, void, undefined> {
    const toCheck: { readonly holding: Believed; readonly entry: Listed | undefined }[] = []
    this.#listing.together(() => {
      for (const holding of page) {
        const entry = this.#meet(holding)
        if (isBelieved(holding) && this.#isJudged(holding)) toCheck.push({ holding, entry })
      }
    })
    const repairs: Repair[] = []
    for (let at = 0; at < toCheck.length; at += looksMax) {
      const group = toCheck.slice(at, at + looksMax)
      const verdicts = await Promise.all(group.map(({ holding, entry }) => this.#judge(holding, entry, signal)))
      for (const [index, verdict] of verdicts.entries()) {
        const holding = group[index]?.holding
        if (holding === undefined || verdict === undefined) continue
        yield { kind: 'difference', difference: this.#told(holding, verdict) }
        if (verdict.kind !== 'altered') repairs.push(repairOf(holding, verdict))
      }
    }
    if (this.#wish.repair && repairs.length > 0) await this.#repair(repairs, signal)
  }

  async #repair(repairs: readonly Repair[], signal: AbortSignal): Promise<void> {
    const { journal, name, onOwed } = this.#parts
    const owed = await journal.patiently(() => journal.holdings.repair(name, repairs), signal)
    this.#repaired += owed
    if (owed > 0) onOwed()
  }

  /** Whatever stands where this file has or gets its copy is no stranger. Answers the entry that proves the copy. */
  #meet(holding: Holding): Listed | undefined {
    const { receipt } = holding
    if (holding.isPresent && receipt === undefined) this.#listing.know(this.#parts.order.placeAt(holding))
    if (receipt === undefined) return undefined
    this.#listing.know(receipt.path)
    const entry = this.#listing.at(receipt.path)
    return entry !== undefined && isAsDelivered(entry, receipt) ? entry : undefined
  }

  /** Copies of files that are gone, or not selected any more, are kept and nobody's worry. */
  #isJudged(holding: Holding): boolean {
    if (!holding.isPresent || !this.#isMeant(holding) || !this.#parts.order.selector(holding).takes) return false
    if (!holding.isOwed && holding.receipt?.seq === holding.seq) return true
    this.#owed++
    this.#owedBytes += holding.size
    return false
  }

  async #judge(holding: Believed, listed: Listed | undefined, signal: AbortSignal): Promise<Verdict | undefined> {
    this.#checked++
    const found = listed ?? (await this.#lookFor(holding, signal))
    if ('kind' in found) return this.#isOverdue(holding) ? undefined : found
    const { receipt, size } = holding
    if (receipt.size !== size)
      return { kind: 'altered', detail: `the provider made ${receipt.size} bytes of ${size} as it came in` }
    if (!this.#wish.reads(holding)) return undefined
    const wrong = await this.#read(receipt, found, signal)
    return wrong === undefined || this.#isOverdue(holding) ? undefined : { kind: 'different', detail: wrong }
  }

  /** The file was delivered again, has changed or moved with its folder, since the page was read: somebody else sees to it. */
  #isOverdue({ fileId, receipt }: Believed): boolean {
    const [now] = this.#parts.journal.holdings.page(this.#parts.name, fileId - 1, 1)
    const isSame = now?.receipt?.revision === receipt.revision && now.receipt.path === receipt.path
    if (now?.fileId === fileId && !now.isOwed && isSame) return false
    this.#checked--
    this.#owed++
    return true
  }

  /** Listings lag behind, leave out, and are over: no copy is called wrong by one alone. */
  async #lookFor(holding: Believed, signal: AbortSignal): Promise<RemoteEntry | Verdict> {
    const { receipt, size } = holding
    const { target } = this.#parts
    const at = receipt.path as RemotePath
    const held = await target.look(at, { hash: false }, signal)
    if (held === undefined) return this.#goneOrRenamed(receipt)
    this.#listing.knowId(held.remoteId)
    if (isVersion(held, receipt)) return held
    if (held.size !== receipt.size) return { kind: 'different', detail: `expected ${size} bytes, found ${held.size}` }
    const read = await target.look(at, { hash: true }, signal)
    if (read?.sha256 === receipt.sha256) return read
    return { kind: 'different', detail: `other content of the same size: sha256 ${read?.sha256 ?? 'unknown'}` }
  }

  #goneOrRenamed(receipt: StoredReceipt): Verdict {
    const other = this.#listing.byId(receipt.remoteId)
    const isNamed = other !== undefined && other.path !== receipt.path && this.#isSameObject(other, receipt)
    if (!isNamed) return { kind: 'missing', detail: 'nothing is there' }
    this.#listing.know(other.path)
    return { kind: 'renamed', detail: `it is at ${showPath(other.path)} now`, moved: other }
  }

  /** A disk gives the number of a file that is gone to the next one. */
  #isSameObject({ size, mtimeNs }: Listed, receipt: StoredReceipt): boolean {
    if (size !== receipt.size) return false
    return this.#parts.target.traits.revisionIsContent || mtimeNs === receipt.mtimeNs
  }

  /** What is wrong with the content; undefined where it is what was delivered. */
  async #read(receipt: StoredReceipt, entry: RemoteEntry, signal: AbortSignal): Promise<string | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        const hash = createHash('sha256')
        for await (const chunk of await this.#parts.target.get(entry, { start: 0 }, signal)) {
          const bytes = chunk as Buffer
          hash.update(bytes)
          this.#bytesRead += bytes.length
        }
        const sha256 = hash.digest('hex')
        return sha256 === receipt.sha256 ? undefined : `its content is another one: sha256 ${sha256}`
      } catch (thrown) {
        if (!(thrown instanceof TargetError) || thrown.next.kind === 'pause-target') throw thrown
        if (tries >= readTries) return `it cannot be read: ${thrown.message}`
      }
    }
  }

  async *#strangers(signal: AbortSignal): AsyncGenerator<Finding, void, undefined> {
    const { clock } = this.#parts
    for (let last = 0; ;) {
      const page = this.#listing.unknown(last, filesPerPage)
      if (page.entries.length === 0) return
      ;({ last } = page)
      for (const { path: at, size } of page.entries) {
        if (!this.#isOurPlace(at)) continue
        this.#counts.extra++
        const detail = 'not of this program, or of a file it does not know any more'
        const difference: Difference = { kind: 'extra', source: null, path: null, at, foundAt: at, size, detail }
        yield { kind: 'difference', difference }
      }
      await clock.sleep(0, signal)
    }
  }

  /** Of another Fanfold at the same target nothing is strange, nor are the notes that say whose place it is (F81). */
  #isOurPlace(at: RemotePath): boolean {
    const { folder } = this.#parts
    return nameOf(at) !== noteName && (folder === '' || at.startsWith(`${folder}/`))
  }

  #told({ source, path, receipt, size }: Believed, { kind, detail, moved }: Verdict): Difference {
    this.#counts[kind]++
    return { kind, source, path, at: receipt.path, foundAt: moved?.path ?? null, size, detail }
  }

  #tally(): Tally {
    return {
      counts: { ...this.#counts },
      checked: this.#checked,
      owed: this.#owed,
      owedBytes: this.#owedBytes,
      bytesRead: this.#bytesRead,
      repaired: this.#repaired,
      listed: this.#listing.count,
    }
  }
}

function isBelieved(holding: Holding): holding is Believed {
  return holding.receipt !== undefined
}

function repairOf({ fileId, receipt }: Believed, { kind, detail, moved }: Verdict): Repair {
  const why = `${kind} at ${receipt.path}: ${detail}; owed again`
  if (moved === undefined) return { fileId, why }
  return { fileId, why, moved: { path: moved.path, revision: moved.revision, seq: receipt.seq } }
}
