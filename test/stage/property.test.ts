/** What holds in every world of stages, however they join, leave, ask, dawdle and fail. */
import { expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import { range } from './watched.ts'
import { World } from './world.ts'

/** Seeds and steps may be raised for a long run, by FANFOLD_STAGE_SEEDS and FANFOLD_STAGE_STEPS. */
const seeds = Number(process.env['FANFOLD_STAGE_SEEDS'] ?? 100)
const steps = Number(process.env['FANFOLD_STAGE_STEPS'] ?? 10_000)

test.each(range(1, seeds))(
  'D1, D3, S10, S14b, S30, S37, S41, S44: no event too many, lost, doubled, out of order or past a buffered one, no overlap, nobody unserved beside a buffer (seed %i)',
  async (seed) => {
    const world = new World(seededRandom(seed), seed % 2 === 0)

    for (let step = 0; step < steps; step++) await world.step()
    await world.finish()

    expect(world.faults, `seed ${seed}`).toEqual([])
    expect(world.handledCount, `seed ${seed}: too little happened to prove anything`).toBeGreaterThan(500)
  },
)
