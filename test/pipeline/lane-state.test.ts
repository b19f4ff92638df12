import { describe, expect, test } from 'vitest'
import { nextLaneState, type LaneEvent, type LaneState } from '../../src/pipeline/lane-state.ts'

const trouble = { pause: 'missing', reason: 'not mounted: mount it' } as const

/** The effects of a row of events, and the last state. */
function after(events: readonly LaneEvent[], from: LaneState = { kind: 'opening' }) {
  const effects: unknown[] = []
  let state = from
  for (const event of events) {
    const step = nextLaneState(state, event)
    state = step.state
    effects.push(step.effect)
  }
  return { state, effects }
}

const opened: LaneEvent = { kind: 'opened' }
const unopened: LaneEvent = { kind: 'unopened', ...trouble }
const failed: LaneEvent = { kind: 'failed', ...trouble }

describe('the state of a lane', () => {
  test('opens, then works', () => {
    expect(after([opened])).toEqual({ state: { kind: 'running', flaps: 0 }, effects: ['work'] })
  })

  test('F70: a target that does not open is probed with a doubling delay, at most every 30 s', () => {
    const { effects, state } = after(Array.from({ length: 9 }, () => unopened))

    const delays = effects.map((effect) => (effect as { probeAfterMs: number }).probeAfterMs)
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
    expect(state).toMatchObject({ kind: 'paused', pause: 'missing', probes: 9 })
  })

  test('F67: a target that names a time is left alone until then', () => {
    expect(after([opened, { ...failed, againInMs: 300_000 }]).effects.at(-1)).toEqual({ probeAfterMs: 300_000 })
    expect(after([{ ...unopened, againInMs: 7_000 }]).effects).toEqual([{ probeAfterMs: 7_000 }])
  })

  test('of many attempts that fail together, one pauses the target', () => {
    const { state, effects } = after([opened, failed, failed, failed])

    expect(effects.slice(1)).toEqual([{ probeAfterMs: 500 }, 'none', 'none'])
    expect(state).toMatchObject({ probes: 0, flaps: 1 })
  })

  test('a target that opens and fails at once, again and again, is probed less and less often until it takes a delivery', () => {
    const flapping = after([opened, failed, opened, failed, opened, failed])
    expect(flapping.effects.filter((effect) => typeof effect === 'object')).toEqual([
      { probeAfterMs: 500 },
      { probeAfterMs: 1000 },
      { probeAfterMs: 2000 },
    ])

    const healed = after([opened, { kind: 'delivered' }, failed], flapping.state)
    expect(healed.effects.at(-1)).toEqual({ probeAfterMs: 500 })
  })

  test('what its owner holds is not probed, not even when asked, until the owner lets go', () => {
    const held = after([opened, { kind: 'held', reason: 'paused by its owner' }, failed, opened, { kind: 'nudged' }])
    expect(held.state).toEqual({ kind: 'held', reason: 'paused by its owner' })
    expect(held.effects.slice(1)).toEqual(['none', 'none', 'none', 'none'])

    expect(after([{ kind: 'resumed' }], held.state)).toEqual({
      state: { kind: 'opening' },
      effects: [{ probeAfterMs: 0 }],
    })
  })

  test('a nudge probes a paused target now and has a running one look for work', () => {
    expect(after([unopened, { kind: 'nudged' }]).effects.at(-1)).toEqual({ probeAfterMs: 0 })
    expect(after([opened, { kind: 'nudged' }]).effects.at(-1)).toBe('work')
  })

  test('nothing leads out of stopped', () => {
    const events: LaneEvent[] = [opened, failed, { kind: 'held', reason: '' }, { kind: 'resumed' }, { kind: 'nudged' }]
    expect(after([{ kind: 'stopped' }, ...events])).toMatchObject({ state: { kind: 'stopped' } })
  })
})
