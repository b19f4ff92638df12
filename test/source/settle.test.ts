import { describe, expect, test } from 'vitest'
import type { SourcePath } from '../../src/base/path.ts'
import { Collector } from '../../src/source/collector.ts'
import { judge, touch, type Outcome, type Settling, type Sign, type Version } from '../../src/source/settle.ts'

const settleMs = 2_000
const unsettledMsMax = 60_000
const patience = { settleMs, unsettledMsMax, unsettled: 'wait' as const }
/** Wall time at which monotonic time is 0: files below are written long before. */
const wallStartNs = 1_000_000_000_000_000_000n

interface File extends Version {
  readonly mode: number
}

function aFile(changed: Partial<File> = {}): File {
  return { size: 1, mtimeNs: 1n, ctimeNs: 1n, inode: 7n, mode: 0o644, ...changed }
}

function touched(sign: Sign, nowMs: number, before?: Settling): Settling {
  return touch(before, sign, { nowMs, settleMs, unsettledMsMax })
}

function lookedAt(settling: Settling, stat: File | undefined, nowMs: number, known?: Version): Outcome {
  const at = { nowMs, wallNs: wallStartNs + BigInt(nowMs) * 1_000_000n, ...patience }
  return judge(
    settling,
    stat === undefined ? { kind: 'absent' } : { kind: 'file', stat },
    known,
    known !== undefined,
    at,
  )
}

function waiting(outcome: Outcome): Settling {
  if (outcome.kind !== 'wait') throw new Error(`expected it to wait, got ${outcome.kind}`)
  return outcome.settling
}

describe('a file that was closed', () => {
  test('F20: is complete at its first look', () => {
    expect(lookedAt(touched('closed', 0), aFile(), 3)).toEqual({ kind: 'put', stat: aFile() })
  })

  test('F20: and written to again before that look waits as if never closed', () => {
    const settling = touched('open', 2, touched('closed', 0))

    expect(lookedAt(settling, aFile(), 3).kind).toBe('wait')
  })

  test('F43: and looks as believed is handed on all the same if it was changed less than 2 s ago', () => {
    const fresh = aFile({ mtimeNs: wallStartNs + 1n, ctimeNs: wallStartNs + 1n })

    expect(lookedAt(touched('closed', 0), fresh, 1_999, fresh).kind).toBe('put')
    expect(lookedAt(touched('closed', 0), fresh, 2_001, fresh).kind).toBe('drop')
  })

  test('F44: where times are of whole seconds, if it was changed less than 4 s ago', () => {
    const coarse = aFile({ mtimeNs: wallStartNs, ctimeNs: wallStartNs })

    expect(lookedAt(touched('closed', 0), coarse, 3_999, coarse).kind).toBe('put')
    expect(lookedAt(touched('closed', 0), coarse, 4_001, coarse).kind).toBe('drop')
  })

  test('F19: a scan that finds what is believed drops it, however fresh', () => {
    const fresh = aFile({ mtimeNs: wallStartNs, ctimeNs: wallStartNs })

    expect(lookedAt(touched('found', 0), fresh, 1, fresh).kind).toBe('drop')
  })
})

describe('a file without a close', () => {
  test.each(['size', 'mtimeNs', 'ctimeNs', 'inode'] as const)(
    'F20, F22: a look that differs in %s begins the wait anew',
    (field) => {
      const first = waiting(lookedAt(touched('open', 0), aFile(), 3))
      const other = aFile({ [field]: field === 'size' ? 2 : 2n })
      const second = waiting(lookedAt(first, other, 2_003))

      expect(second.dueMs).toBe(4_003)
      expect(lookedAt(second, other, 4_003).kind).toBe('put')
    },
  )

  test('F20: two looks that agree are not enough if they are less than the settle time apart', () => {
    const first = waiting(lookedAt(touched('open', 0), aFile(), 3))

    expect(waiting(lookedAt(first, aFile(), 2_002)).dueMs).toBe(2_003)
    expect(lookedAt(first, aFile(), 2_003).kind).toBe('put')
  })

  test('F20: an event between the looks makes it wait for the settle time after that event', () => {
    const first = waiting(lookedAt(touched('open', 0), aFile(), 3))
    const again = touched('open', 1_500, first)

    expect(again.dueMs).toBe(3_500)
    expect(waiting(lookedAt(again, aFile(), 2_003)).dueMs).toBe(3_500)
    expect(lookedAt(again, aFile(), 3_500).kind).toBe('put')
  })
})

describe('F21: a file that never rests', () => {
  const stirred = (until: number, settling = touched('open', 0)): Settling => {
    let after = waiting(lookedAt(settling, aFile(), 3))
    for (let nowMs = 500; nowMs <= until; nowMs += 500) after = touched('open', nowMs, after)
    return after
  }

  test('is looked at once it may not change any longer, whatever goes on happening to it', () => {
    expect(stirred(59_500).dueMs).toBe(unsettledMsMax)
    expect(stirred(90_000).dueMs).toBe(unsettledMsMax)
  })

  test('is waited for, or taken as it is where snapshots are wanted and nobody writes to it just then', () => {
    const settling = stirred(60_000)
    const stat = aFile({ size: 120 })
    const at = { nowMs: 60_100, wallNs: wallStartNs, ...patience }
    const look = { kind: 'file', stat } as const

    expect(judge(settling, look, undefined, false, at).kind).toBe('wait')
    expect(judge(settling, look, undefined, false, { ...at, unsettled: 'snapshot' })).toEqual({ kind: 'put', stat })
    expect(judge(settling, look, undefined, false, { ...at, unsettled: 'snapshot', nowMs: 60_020 }).kind).toBe('wait')
  })

  test('has all the time again after a snapshot', () => {
    const collector = new Collector(patience)
    const path = 'log' as SourcePath
    collector.touch(path, 'open', 0)
    const [due] = collector.take(10, 1)
    if (due === undefined) throw new Error('nothing due')

    collector.touch(path, 'open', 60_500)
    collector.settle(due)

    expect(collector.settlingOf(path)?.sinceMs).toBe(60_500)
  })
})

describe('a file that is not there', () => {
  test('F25: is dropped at once if nobody knew of it', () => {
    expect(lookedAt(touched('gone', 0), undefined, 3).kind).toBe('drop')
  })

  test('F26: is removed only when it stayed away for the settle time', () => {
    const first = waiting(lookedAt(touched('gone', 0), undefined, 3, aFile()))

    expect(first.dueMs).toBe(2_000)
    expect(lookedAt(first, undefined, 1_999, aFile()).kind).toBe('wait')
    expect(lookedAt(first, undefined, 2_000, aFile()).kind).toBe('remove')
  })

  test('F49: who finds it missing again and again does not keep it from being removed', () => {
    const first = waiting(lookedAt(touched('gone', 0), undefined, 3, aFile()))
    const again = touched('found', 1_500, first)

    expect(lookedAt(again, undefined, 2_000, aFile()).kind).toBe('remove')
  })

  test('F41: is neither removed nor put while it cannot be looked at', () => {
    const at = { nowMs: 9_000, wallNs: wallStartNs, ...patience }

    expect(judge(touched('gone', 0), { kind: 'unreadable', reason: 'EIO' }, aFile(), true, at).kind).toBe('drop')
  })
})

describe('the collector', () => {
  const path = (name: string): SourcePath => name as SourcePath

  test('F33: what was touched in one burst is given out together, and nothing long before its time', () => {
    const collector = new Collector(patience)
    for (const [name, atMs] of [
      ['a', 0],
      ['b', 0.9],
      ['c', 1.1],
    ] as const)
      collector.touch(path(name), 'found', atMs)

    const due = collector.take(collector.nextDueMs() ?? 0, 10)

    expect(due.map(({ path }) => path)).toEqual(['a', 'b'])
  })

  test('D6: a path stays until it is answered for, and an event in between keeps it', () => {
    const collector = new Collector(patience)
    collector.touch(path('a'), 'closed', 0)
    const [due] = collector.take(10, 10)
    if (due === undefined) throw new Error('nothing due')

    collector.touch(path('a'), 'closed', 11)
    collector.settle(due)
    const [again] = collector.take(20, 10)
    if (again === undefined) throw new Error('nothing due after the second event')
    collector.settle(again)

    expect(collector.size).toBe(0)
  })

  test('D6: a path under way is given to nobody else, and given out again once it is put back', () => {
    const collector = new Collector(patience)
    for (const name of ['a', 'b', 'c']) collector.touch(path(name), 'closed', 0)
    const [first] = collector.take(10, 1)
    if (first === undefined) throw new Error('nothing due')

    collector.touch(first.path, 'open', 11)
    const others = collector.take(20, 10)
    const nothing = collector.take(20, 10)
    const nextMs = collector.nextDueMs()
    collector.putBack(first)
    const again = collector.take(20, 10)

    expect(others.map((due) => due.path)).toEqual(['b', 'c'])
    expect(nothing).toEqual([])
    expect(nextMs).toBeUndefined()
    expect(again.map((due) => due.path)).toEqual(['a'])
  })

  test('D6: cleared, it is empty only once what was under way is answered for', () => {
    const collector = new Collector(patience)
    collector.touch(path('a'), 'closed', 0)
    const [due] = collector.take(10, 1)
    if (due === undefined) throw new Error('nothing due')

    collector.clear()
    const isEmptyWhileUnderWay = collector.isEmpty
    collector.settle(due)

    expect([isEmptyWhileUnderWay, collector.isEmpty]).toEqual([false, true])
  })

  test('events that never end do not put off the look at a closed file', () => {
    const collector = new Collector(patience)

    for (let nowMs = 0; nowMs < 10; nowMs++) collector.touch(path('a'), 'closed', nowMs)

    expect(collector.nextDueMs()).toBe(3)
  })

  test('A19: it collapses to the folder that holds all its paths', () => {
    const collector = new Collector(patience)
    for (const name of ['a/b/c/1', 'a/b/2', 'a/b/d/3']) collector.touch(path(name), 'open', 0)

    expect(collector.collapse()).toBe('a/b')
    expect(collector.size).toBe(0)
  })
})
