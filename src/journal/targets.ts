/** Targets as the journal knows them: identity, cursor, what is being offered again, counters. */
import type { Connection } from './connection.ts'
import type { FoldersAtTarget } from './folders-at-target.ts'
import { priorities } from './priority.ts'
import { required } from './tree.ts'

/**
 * How closely a delivery looks before it sends: trusts the receipt, compares the object's marks, or compares content by hash.
 * `receipt` sends nothing: no copy is owed any more, but an attempt may have changed the object without our having recorded it,
 * so that the receipt has to be made true again. `remove`: the file is gone, and the copy is to follow it.
 */
export type Look = 'trust' | 'entry' | 'hash' | 'receipt' | 'remove'

/** As a row has it: whether an attempt may have changed a copy before it was to leave counts when its file comes back. */
export type LookCell = Look | 'remove-in-doubt'

/** Which part of the feed is offered to a target again. */
export interface Offer {
  readonly source: string | null
  readonly glob: string | null
  readonly look: Look
}

export interface TargetRow {
  readonly id: number
  readonly name: string
  readonly mark: string | null
  /** Why its owner stopped it; null where it may work. */
  readonly heldBecause: string | null
  readonly cursor: number
  readonly offer: Offer
  /** Files still to be looked through; an upper bound. */
  readonly offerLeft: number
}

export interface LaneCounts {
  readonly waiting: number
  readonly postponed: number
  readonly parked: number
  /** Copies of removed files, until their grace is over. */
  readonly leaving: number
  readonly delivered: number
  /** Bytes of all that is owed. */
  readonly bytesOwed: number
}

/** What a configuration says of a target: `selector` and `place` are texts that are compared, not read. */
export interface Declaration {
  readonly kind: string
  /** Which files go there, and under which names. */
  readonly selector: string
  /** Where it stands. */
  readonly place: string
  /** What it was called before. */
  readonly formerly?: string | undefined
}

export const everything: Offer = { source: null, glob: null, look: 'trust' }

/** One look at the front of the index for each state and priority: a single query over all of them would read the whole of it. */
const oldestPerOrder = ['waiting', 'postponed', 'parked']
  .flatMap((state) => priorities.map((priority) => [state, priority] as const))
  .map(
    ([state, priority]) =>
      `SELECT min(since_ms) AS since_ms FROM delivery WHERE target_id = @id AND state = '${state}' AND priority = ${priority}`,
  )
  .join(' UNION ALL ')

const sql = {
  all: 'SELECT id, name, kind, selector, place, mark, held AS heldBecause, cursor, offer, offer_left AS offerLeft, left_ms AS leftMs FROM target',
  add: 'INSERT INTO target (name, kind, selector, place, cursor, offer, offer_left) VALUES (?, ?, ?, ?, 0, NULL, (SELECT coalesce(sum(files), 0) FROM source)) RETURNING id',
  setSelector:
    'UPDATE target SET selector = ?, cursor = 0, offer = NULL, offer_left = (SELECT coalesce(sum(files), 0) FROM source) WHERE id = ?',
  setPlace: 'UPDATE target SET kind = ?, place = ?, mark = NULL WHERE id = ?',
  hold: 'UPDATE target SET held = ? WHERE id = ?',
  rename: 'UPDATE target SET name = ? WHERE name = ?',
  setLeft: 'UPDATE target SET left_ms = ? WHERE id = ? AND left_ms IS NOT NULL',
  leave: 'UPDATE target SET left_ms = ? WHERE id = ? AND left_ms IS NULL',
  setMark: 'UPDATE target SET mark = ? WHERE id = ?',
  setOffer:
    'UPDATE target SET cursor = 0, offer = ?, offer_left = (SELECT coalesce(sum(files), 0) FROM source) WHERE id = ?',
  setCursor: 'UPDATE target SET cursor = ?, offer_left = max(0, offer_left - ?) WHERE id = ?',
  atHead: 'UPDATE target SET cursor = ?, offer_left = 0, offer = NULL WHERE id = ?',
  advance: 'UPDATE target SET cursor = ? WHERE id = ?',
  counts: 'SELECT state, files, bytes FROM lane_count WHERE target_id = ?',
  oldest: `
    SELECT min(since_ms) AS sinceMs FROM (
      ${oldestPerOrder}
    )`,
}

interface Row {
  readonly id: number
  readonly name: string
  readonly kind: string
  readonly selector: string
  readonly place: string
  readonly mark: string | null
  readonly heldBecause: string | null
  readonly cursor: number
  readonly offer: string | null
  readonly offerLeft: number
  readonly leftMs: number | null
}

export class Targets {
  readonly #byName = new Map<string, TargetRow>()
  #all: readonly TargetRow[] = []
  /** Targets of the present configuration. One that left it keeps its cursor: what changes meanwhile is offered when it comes back. */
  readonly #declared = new Set<string>()
  readonly #folders: FoldersAtTarget
  readonly #statements

  constructor(connection: Connection, folders: FoldersAtTarget) {
    this.#folders = folders
    this.#statements = {
      all: connection.prepare<[], Row>(sql.all),
      add: connection.prepare<[string, string, string, string], { id: number }>(sql.add),
      setSelector: connection.prepare<[string, number]>(sql.setSelector),
      setPlace: connection.prepare<[string, string, number]>(sql.setPlace),
      hold: connection.prepare<[string | null, number]>(sql.hold),
      rename: connection.prepare<[string, string]>(sql.rename),
      setLeft: connection.prepare<[null, number]>(sql.setLeft),
      leave: connection.prepare<[number, number]>(sql.leave),
      setMark: connection.prepare<[string, number]>(sql.setMark),
      setOffer: connection.prepare<[string, number]>(sql.setOffer),
      setCursor: connection.prepare<[number, number, number]>(sql.setCursor),
      atHead: connection.prepare<[number, number]>(sql.atHead),
      advance: connection.prepare<[number, number]>(sql.advance),
      counts: connection.prepare<[number], { state: string; files: number; bytes: number }>(sql.counts),
      oldest: connection.prepare<[{ id: number }], { sinceMs: number | null }>(sql.oldest),
    }
    this.reload()
  }

  /** Reads the rows anew, after a change of theirs or a rolled back transaction. */
  reload(): void {
    this.#byName.clear()
    for (const row of this.#statements.all.all()) {
      const { id, name, mark, heldBecause, cursor, offerLeft } = row
      this.#byName.set(name, { id, name, mark, heldBecause, cursor, offerLeft, offer: parseOffer(row.offer) })
    }
    this.#all = [...this.#byName.values()].filter(({ name }) => this.#declared.has(name))
  }

  /** The declared ones. */
  get all(): readonly TargetRow[] {
    return this.#all
  }

  /** Of all there ever were. */
  get ids(): readonly number[] {
    return [...this.#byName.values()].map(({ id }) => id)
  }

  get(name: string): TargetRow {
    return required(this.#byName.get(name))
  }

  has(name: string): boolean {
    return this.#byName.has(name)
  }

  /** Adds the target, or sets its cursor back if its selector or its place is another than before. */
  declare(name: string, { kind, selector, place, formerly }: Declaration, head: number): TargetRow {
    this.#declared.add(name)
    this.#rename(formerly, name)
    const row = this.#statements.all.all().find((candidate) => candidate.name === name)
    if (row !== undefined) this.#statements.setLeft.run(null, row.id)
    if (row === undefined) this.#statements.add.get(name, kind, selector, place)
    else if (row.selector !== selector) this.#statements.setSelector.run(selector, row.id)
    this.reload()
    if (row !== undefined && (row.kind !== kind || row.place !== place))
      this.#moveTo(row.id, name, { kind, place }, head)
    return this.get(name)
  }

  /** Once: what the new name has of its own by then stays as it is. */
  #rename(from: string | undefined, to: string): void {
    if (from === undefined || this.#byName.has(to) || !this.#byName.has(from) || this.#declared.has(from)) return
    this.#statements.rename.run(to, from)
    this.reload()
  }

  /** What the old place held says nothing of the new one: every copy is looked for there. */
  #moveTo(id: number, name: string, { kind, place }: Omit<Declaration, 'selector'>, head: number): void {
    this.#folders.forget(id, '')
    this.#statements.setPlace.run(kind, place, id)
    this.offerAgain(name, { ...everything, look: 'entry' }, head)
  }

  /** Those that did not leave. */
  names(): readonly string[] {
    return this.#statements.all.all().flatMap(({ name, leftMs }) => (leftMs === null ? [name] : []))
  }

  declarationOf(name: string): Declaration | undefined {
    const row = this.#statements.all.all().find((candidate) => candidate.name === name)
    // One that was given up comes back as a new one.
    if (row === undefined || row.place === '') return undefined
    return { kind: row.kind, selector: row.selector, place: row.place }
  }

  /** From when on the declared ones were the only ones. Those that left earlier keep their time. */
  othersLeft(nowMs: number): void {
    for (const { name, id } of this.#byName.values())
      if (!this.#declared.has(name)) this.#statements.leave.run(nowMs, id)
  }

  /** It is no part of the present configuration any more. */
  undeclare(name: string): void {
    this.#declared.delete(name)
    this.reload()
  }

  hold(name: string, reason: string | null): void {
    this.#statements.hold.run(reason, this.get(name).id)
    this.reload()
  }

  /** Another mark is another place: first its folders are forgotten, so that no crash leaves them to it. */
  setMark(name: string, mark: string): void {
    const { id, mark: before } = this.get(name)
    if (before !== null && before !== mark) this.#folders.forget(id, '')
    this.#statements.setMark.run(mark, id)
    this.reload()
  }

  /** Sets the cursor back. An offer that is still under way is widened, never narrowed. */
  offerAgain(name: string, wanted: Offer, head: number): void {
    const row = this.get(name)
    const offer = row.cursor < head ? widened(row.offer, wanted) : wanted
    this.#statements.setOffer.run(JSON.stringify(offer), row.id)
    this.reload()
  }

  /** The feed was offered up to `cursor`, `files` of it just now; `isHead` ends the offer. */
  advanceOffer(name: string, cursor: number, files: number, isHead: boolean): void {
    const { id } = this.get(name)
    if (isHead) this.#statements.atHead.run(cursor, id)
    else this.#statements.setCursor.run(cursor, files, id)
    this.reload()
  }

  /** Declared targets that were at the head stay there. */
  advance(head: number, newHead: number): void {
    for (const row of this.#all) {
      if (row.cursor !== head) continue
      this.#statements.advance.run(newHead, row.id)
      this.#byName.set(row.name, { ...row, cursor: newHead })
    }
    this.#all = [...this.#byName.values()].filter(({ name }) => this.#declared.has(name))
  }

  counts(id: number): LaneCounts {
    const rows = new Map(this.#statements.counts.all(id).map((row) => [row.state, row]))
    const files = (state: string): number => rows.get(state)?.files ?? 0
    const owed = ['waiting', 'postponed', 'parked'].map((state) => rows.get(state)?.bytes ?? 0)
    return {
      waiting: files('waiting'),
      postponed: files('postponed'),
      parked: files('parked'),
      leaving: files('leaving'),
      delivered: files('delivered'),
      bytesOwed: owed.reduce((sum, bytes) => sum + bytes, 0),
    }
  }

  /** Wall time at which the oldest change still owed was accepted. */
  oldestSinceMs(id: number): number | null {
    return this.#statements.oldest.get({ id })?.sinceMs ?? null
  }
}

function widened(first: Offer, second: Offer): Offer {
  const looks: readonly Look[] = ['trust', 'entry', 'hash']
  return {
    source: first.source === second.source ? first.source : null,
    glob: first.glob === second.glob ? first.glob : null,
    look: looks[Math.max(looks.indexOf(first.look), looks.indexOf(second.look))] ?? 'hash',
  }
}

/** This text was written by this file only. */
function parseOffer(text: string | null): Offer {
  return text === null ? everything : (JSON.parse(text) as Offer)
}
