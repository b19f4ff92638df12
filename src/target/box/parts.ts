/**
 * The parts of one session, of the size that Box says: each read once for its digest and once for the wire, one on its way while the next is digested. Parts
 * never change once they are stored, so after any doubt the session's own list says what is there.
 */
import { asError } from '../../base/errors.ts'
import { showPath } from '../../base/path.ts'
import { nothingRead, type Proof } from '../source-file.ts'
import type { BoxApi } from './api.ts'
import { type Errand, isLost } from './errand.ts'
import { Refused } from './errors.ts'
import { PartHash, unhashed } from './hashes.ts'
import { type Part, parsePart, parseParts, type OpenSession } from './metadata.ts'

/** What is on its way when all ends is sent again, and that is to be one part at most (F61). The next one is read and digested meanwhile. */
const partsAtOnce = 1
/** Of one page, most that Box gives. */
const pagePartsMax = 1000

export interface FillParts {
  readonly api: BoxApi
  readonly errand: Errand
  readonly session: OpenSession
  /** A part more is there. */
  readonly stored: (bytesDone: number) => Promise<void>
}

/** All bytes are there. */
export interface Filled {
  readonly parts: readonly Part[]
  /** Hex. */
  readonly sha1: string
}

/** The session holds other bytes than this copy's. */
export class ForeignParts extends Error {}

export async function fill(parts: FillParts, there: readonly Part[], signal: AbortSignal): Promise<Filled> {
  const filling = new Filling(parts, there, signal)
  try {
    return await filling.run()
  } finally {
    await filling.end()
  }
}

class Filling {
  readonly #parts: FillParts
  readonly #stored: Map<number, Part>
  /** Bytes of parts on their way, by offset. */
  readonly #sent = new Map<number, number>()
  readonly #running = new Set<Promise<void>>()
  readonly #own = new AbortController()
  readonly #signal: AbortSignal
  #doneBytes = 0
  /** Of the first part that failed; what is under way is waited for, or ended, before it is told. */
  #failure: Error | undefined

  constructor(parts: FillParts, there: readonly Part[], signal: AbortSignal) {
    this.#parts = parts
    this.#stored = new Map(there.map((part) => [part.offset, part]))
    this.#signal = AbortSignal.any([signal, this.#own.signal])
  }

  async run(): Promise<Filled> {
    const { errand, session } = this.#parts
    let proof = nothingRead(PartHash.ofNothing())
    while (proof.offset < errand.copy.size) {
      const from = { ...proof, hash: proof.hash.next() }
      const until = Math.min(from.offset + session.partBytes, errand.copy.size)
      proof = await errand.source.prove(from, until, this.#signal)
      await this.#begin(from, { until, sha1: proof.hash.part.copy().digest() })
    }
    await Promise.all(this.#running)
    if (this.#failure !== undefined) throw this.#failure
    const parts = [...this.#stored.values()].sort((a, b) => a.offset - b.offset)
    // More than ours, at other places: it was somebody else's.
    if (parts.length !== Math.ceil(errand.copy.size / session.partBytes)) throw this.#foreign()
    return { parts, sha1: proof.hash.whole.copy().digest('hex') }
  }

  /** Ends what is under way, and waits for that: its file is closed next. */
  async end(): Promise<void> {
    this.#own.abort(new Error('another part failed'))
    await Promise.all(this.#running)
  }

  async #begin(from: Proof<PartHash>, { until, sha1 }: Read): Promise<void> {
    const there = this.#stored.get(from.offset)
    if (there !== undefined) {
      if (!isOf(there, from.offset, until, sha1)) throw this.#foreign()
      return this.#done(there)
    }
    await this.#parts.errand.work.allow(until - from.offset, this.#signal)
    while (this.#running.size >= partsAtOnce) await Promise.race(this.#running)
    if (this.#failure !== undefined) throw this.#failure
    const sending = this.#send(from, { until, sha1 })
      .catch((thrown: unknown) => {
        this.#failure ??= asError(thrown)
      })
      .finally(() => this.#running.delete(sending))
    this.#running.add(sending)
  }

  async #send(from: Proof<PartHash>, read: Read): Promise<void> {
    try {
      await this.#done(await this.#call(from, read))
    } catch (thrown) {
      const isDoubtful = isLost(thrown) || (thrown instanceof Refused && thrown.status === 416)
      if (this.#signal.aborted || !isDoubtful) throw thrown
      await this.#done(await this.#afterDoubt(thrown, from.offset, read))
    }
  }

  async #call(from: Proof<PartHash>, { until, sha1 }: Read): Promise<Part> {
    const { api, errand, session } = this.#parts
    const { offset } = from
    const answer = await api.request(
      errand.verb,
      {
        method: 'PUT',
        host: 'upload',
        path: sessionPath(session.id),
        headers: {
          'content-type': 'application/octet-stream',
          'content-range': `bytes ${offset}-${until - 1}/${errand.copy.size}`,
          digest: `sha=${sha1.toString('base64')}`,
        },
        body: () => errand.source.pieces({ ...from, hash: unhashed }, until, () => undefined),
        length: until - offset,
        progress: (sent) => {
          this.#sent.set(offset, sent)
          this.#tell()
        },
      },
      this.#signal,
    )
    return parsePart(api.what(errand.verb), answer)
  }

  /** Whether the part came to be all the same. */
  async #afterDoubt(thrown: unknown, offset: number, { until, sha1 }: Read): Promise<Part> {
    const { api, errand, session } = this.#parts
    const listed = await listParts(api, session, errand.verb, this.#signal)
    const part = listed.find((each) => each.offset === offset)
    if (part !== undefined && isOf(part, offset, until, sha1)) return part
    if (part !== undefined || !isLost(thrown)) throw this.#foreign()
    throw thrown
  }

  async #done(part: Part): Promise<void> {
    this.#stored.set(part.offset, part)
    this.#sent.delete(part.offset)
    this.#doneBytes += part.size
    this.#tell()
    await this.#parts.stored(this.#doneBytes)
  }

  #tell(): void {
    const onTheirWay = [...this.#sent.values()].reduce((sum, bytes) => sum + bytes, 0)
    this.#parts.errand.progress(this.#doneBytes + onTheirWay)
  }

  #foreign(): ForeignParts {
    return new ForeignParts(`the session of ${showPath(this.#parts.errand.at)} holds other bytes`)
  }
}

interface Read {
  /** Where the part ends. */
  readonly until: number
  readonly sha1: Buffer
}

function isOf(part: Part, offset: number, until: number, sha1: Buffer): boolean {
  return part.offset === offset && part.size === until - offset && part.sha1 === sha1.toString('hex')
}

export function sessionPath(id: string): string {
  return `/files/upload_sessions/${encodeURIComponent(id)}`
}

/** All parts that are stored, page by page. @throws Refused where the session is over. */
export async function listParts(
  api: BoxApi,
  { id, partCount }: OpenSession,
  verb: string,
  signal: AbortSignal,
): Promise<readonly Part[]> {
  const all: Part[] = []
  let total = partCount
  while (all.length < total) {
    const wish = { queryParams: { offset: all.length, limit: pagePartsMax }, cancellationToken: signal }
    const answer = await api.ask(verb, (sdk) => sdk.sessions.getFileUploadSessionParts(id, wish), signal)
    const page = parseParts(api.what(verb), answer)
    all.push(...page.parts)
    // Parts never go away: a page without any is behind the last, whatever was said of their number.
    total = page.parts.length === 0 ? 0 : Math.min(total, page.total ?? total)
  }
  return all
}
