/** The rows of the journal do what the machine of delivery states says, whatever happens in which order. */
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock, type Clock } from '../../src/base/clock.ts'
import { seededRandom, type Random } from '../../src/base/random.ts'
import { nextDeliveryState, type DeliveryEvent, type DeliveryState } from '../../src/journal/delivery-state.ts'
import { aimOf, type Aim } from '../../src/journal/delivery.ts'
import { openJournal, type Delivery, type Journal, type Outcome } from '../../src/journal/journal.ts'
import { aFolder, aPut, aRemove, aSeed } from '../builders.ts'
import { aJournal, declared, delivered } from './rig.ts'

const graceMs = 1000
const stepsPerSeed = 300
const seeds = 12
const target = 'nas'

/** One file and one target, in the journal and in the machine. */
class Pair {
  #wallMs = 1_000_000
  /** Its face is set by the test, its timers are real: commits go on. */
  readonly #clock: Clock = {
    wallMs: () => this.#wallMs,
    monotonicMs: () => systemClock.monotonicMs(),
    after: (delayMs, work) => systemClock.after(delayMs, work),
    sleep: (delayMs, signal) => systemClock.sleep(delayMs, signal),
  }
  readonly #file = join(aFolder(), 'journal.sqlite')
  readonly #random: Random
  #journal: Journal
  #id: number
  #fileId = 0
  #lease: Delivery | undefined
  #isPresent = false
  #hasCopy = false
  #size = 0
  state: DeliveryState = { kind: 'done' }
  /** All kinds of states that the machine was in. */
  readonly seen = new Set<string>()

  constructor(random: Random) {
    this.#random = random
    this.#journal = openJournal(this.#file, this.#clock).journal
    this.#id = this.#journal.declareTarget(target, declared('all')).id
    onTestFinished(() => this.#journal.close())
  }

  #happened(event: DeliveryEvent): void {
    this.state = nextDeliveryState(this.state, event)
    this.seen.add(this.state.kind)
  }

  async step(): Promise<string> {
    const steps = {
      change: () => this.#change(true),
      unowe: () => this.#change(false),
      remove: () => this.#remove(this.#random() < 0.7),
      offer: () => this.#offer(),
      claim: () => this.#claim(),
      end: () => this.#end(),
      retry: () => this.#retry(),
      wait: () => void (this.#wallMs += Math.floor(this.#random() * 2 * graceMs)),
      reopen: () => this.#reopen(),
    }
    // Claims and ends come in pairs and have most to say.
    const names = [...Object.keys(steps), 'claim', 'claim', 'end', 'end', 'end'] as (keyof typeof steps)[]
    const name = names[Math.floor(this.#random() * names.length)] ?? 'claim'
    await steps[name]()
    return name
  }

  #change(isOwed: boolean): void {
    const [accepted] = this.#journal.record([aPut('a', { size: ++this.#size })], () => (isOwed ? [this.#id] : []))
    this.#fileId = accepted?.fileId ?? 0
    this.#isPresent = true
    this.#happened({ kind: isOwed ? 'changed' : 'unwanted' })
  }

  #remove(isFollowed: boolean): void {
    if (!this.#isPresent) return
    const removers = isFollowed ? [{ targetId: this.#id, graceMs }] : []
    this.#journal.record([aRemove('a')], () => [], { removers })
    this.#isPresent = false
    const dueMs = this.#clock.wallMs() + graceMs
    this.#happened(isFollowed ? { kind: 'leaves', dueMs, hasCopy: this.#hasCopy } : { kind: 'unowed' })
  }

  #offer(): void {
    if (!this.#isPresent) return
    this.#journal.offerAgain(target, { source: null, glob: null, look: 'entry' })
    while (!this.#journal.offer(target, 10, () => 'take').isDone);
    this.#happened({ kind: 'offered', isLooked: true })
  }

  #claim(): void {
    const [delivery] = this.#journal.claim(this.#id, 1)
    if (delivery === undefined) return
    expect(this.#lease, 'claimed twice').toBeUndefined()
    this.#lease = delivery
    this.#happened({ kind: 'claimed' })
  }

  async #end(): Promise<void> {
    const delivery = this.#lease
    if (delivery === undefined) return
    this.#lease = undefined
    const outcome = this.#outcomeOf(delivery)
    await this.#journal.finish(delivery, outcome)
    if (outcome.kind === 'delivered') this.#hasCopy = true
    if (outcome.kind === 'looked') this.#hasCopy = outcome.receipt !== undefined
    if (outcome.kind === 'removed') this.#hasCopy = false
    this.#happened({ kind: 'ended', outcome, nowMs: this.#clock.wallMs() })
  }

  /** Any that an attempt at this delivery could have. */
  #outcomeOf(delivery: Delivery): Outcome {
    const reason = 'it did not work'
    const done: Outcome =
      delivery.look === 'remove'
        ? { kind: 'removed', detail: 'gone' }
        : delivery.look === 'receipt'
          ? { kind: 'looked', receipt: undefined }
          : delivered(delivery)
    const any: Outcome[] = [
      done,
      done,
      { kind: 'released' },
      { kind: 'interrupted' },
      { kind: 'postponed', delayMs: 500, reason, isCounted: this.#random() < 0.5 },
      { kind: 'deferred', delayMs: 500, reason },
      { kind: 'parked', reason, againInMs: this.#random() < 0.5 ? null : 700 },
      ...(delivery.look === 'remove' ? [{ kind: 'kept', reason } as const] : []),
    ]
    return any[Math.floor(this.#random() * any.length)] ?? done
  }

  #retry(): void {
    this.#journal.retry(this.#id)
    this.#happened({ kind: 'retried' })
  }

  #reopen(): void {
    this.#journal.close()
    this.#journal = openJournal(this.#file, this.#clock).journal
    this.#journal.declareTarget(target, declared('all'))
    this.#lease = undefined
    this.#happened({ kind: 'reopened' })
  }

  /** What the rows say, in the machine's words. */
  inJournal(): unknown {
    const [open] = this.#journal.openOf(this.#fileId)
    const isLeased = this.#journal.activeCount(this.#id) > 0
    if (open === undefined) return { isLeased, kind: 'done' }
    const { state: kind, attempts, reason, dueMs } = open
    return { isLeased, kind, attempts, reason: kind === 'waiting' ? null : reason, dueMs }
  }

  expected(): unknown {
    const { state } = this
    const isLeased = state.kind === 'active' || state.kind === 'superseded'
    const row = state.kind === 'active' ? state.from : state.kind === 'superseded' ? state.by : state
    if (row.kind === 'done') return { isLeased, kind: 'done' }
    const common = { isLeased, kind: row.kind, attempts: 'attempts' in row ? row.attempts : 0 }
    return {
      ...common,
      reason: 'reason' in row ? row.reason : null,
      dueMs: 'dueMs' in row ? row.dueMs : null,
    }
  }

  /** What the next attempt is for, and whether it trusts what the receipt says. Only asked where the answer can be seen: of what waits. */
  nextAttempt(): { readonly aim: Aim; readonly isTrusting: boolean } | undefined {
    const [delivery] = this.#lease === undefined ? this.#journal.claim(this.#id, 1) : []
    if (delivery === undefined) return undefined
    this.#journal.release(this.#id)
    return { aim: aimOf(delivery), isTrusting: delivery.look === 'trust' }
  }
}

describe('states of a delivery', () => {
  const seen = new Set<string>()

  test.each(Array.from({ length: seeds }, (_, at) => aSeed() + at))(
    'the rows say what the machine says, through restarts (seed %i)',
    async (seed) => {
      const pair = new Pair(seededRandom(seed))
      const steps: string[] = []
      for (let n = 0; n < stepsPerSeed; n++) {
        steps.push(await pair.step())
        expect(pair.inJournal(), steps.slice(-12).join(' ')).toEqual(pair.expected())
        if (pair.state.kind !== 'waiting') continue
        const { aim = 'put', isDoubtful } = pair.state
        const isTrusting = aim === 'put' && !isDoubtful
        const next = pair.nextAttempt()
        if (next !== undefined) expect(next, steps.slice(-12).join(' ')).toEqual({ aim, isTrusting })
      }
      for (const kind of pair.seen) seen.add(kind)
    },
  )

  test('and every state was met on the way', () => {
    expect([...seen].sort()).toEqual(['active', 'done', 'leaving', 'parked', 'postponed', 'superseded', 'waiting'])
  })

  test('a copy in doubt that was to leave is looked at when its file comes back', () => {
    const active = nextDeliveryState({ kind: 'waiting', attempts: 0, isDoubtful: false }, { kind: 'claimed' })

    const leaving = nextDeliveryState(active, { kind: 'leaves', dueMs: 5, hasCopy: true })
    const ended = nextDeliveryState(leaving, { kind: 'ended', outcome: { kind: 'interrupted' }, nowMs: 1 })

    expect(ended).toEqual({ kind: 'leaving', dueMs: 5, isDoubtful: true })
    expect(nextDeliveryState(ended, { kind: 'changed' })).toMatchObject({ kind: 'waiting', isDoubtful: true })
  })

  test('F35: a copy that leaves goes on leaving when its file changes, unselected, while the removal is under way and while it waits', async () => {
    const { journal, nas } = aJournal()
    journal.record([aPut('a')], () => [nas])
    await finishNext(journal, nas, delivered)
    journal.record([aRemove('a')], () => [], { removers: [{ targetId: nas, graceMs: 0 }] })

    await finishNext(journal, nas, () => {
      journal.record([aPut('a', { size: 2 })], () => [])
      return { kind: 'postponed', delayMs: 0, reason: 'it did not work', isCounted: true }
    })
    journal.record([aPut('a', { size: 3 })], () => [])

    const [removal] = journal.claim(nas, 1)
    expect(removal?.look).toBe('remove')
  })

  test('a copy wanted again while its removal is under way is owed when that has ended', async () => {
    const { journal, nas } = aJournal()
    journal.record([aPut('a')], () => [nas])
    await finishNext(journal, nas, delivered)
    journal.record([aRemove('a')], () => [], { removers: [{ targetId: nas, graceMs: 0 }] })
    // It is back, and no selector takes it: its copy leaves all the same.
    journal.record([aPut('a')], () => [])

    await finishNext(journal, nas, (removal) => {
      expect(removal.look).toBe('remove')
      offerAll(journal)
      return { kind: 'removed', detail: 'gone' }
    })

    const [owed] = journal.claim(nas, 1)
    expect(owed?.look).toBe('entry')
  })

  test('a copy wanted again while it is only looked at is owed when that has ended', async () => {
    const { journal, nas } = aJournal()
    journal.record([aPut('a')], () => [nas])
    await finishNext(journal, nas, () => {
      journal.record([aPut('a', { size: 2 })], () => [])
      return { kind: 'interrupted' }
    })

    await finishNext(journal, nas, (look) => {
      expect(look.look).toBe('receipt')
      offerAll(journal)
      return { kind: 'looked', receipt: undefined }
    })

    const [owed] = journal.claim(nas, 1)
    expect(owed?.look).toBe('entry')
  })
})

async function finishNext(journal: Journal, targetId: number, attempt: (delivery: Delivery) => Outcome): Promise<void> {
  const [delivery] = journal.claim(targetId, 1)
  if (delivery === undefined) throw new Error('nothing is owed')
  await journal.finish(delivery, attempt(delivery))
}

function offerAll(journal: Journal): void {
  journal.offerAgain(target, { source: null, glob: null, look: 'entry' })
  while (!journal.offer(target, 10, () => 'take').isDone);
}
