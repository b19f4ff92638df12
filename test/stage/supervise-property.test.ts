/** What holds of every supervisor, however its children fall, dawdle, fail to start, are added, removed and stopped. */
import { expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import { RandomFamily } from './random-family.ts'
import { range } from './watched.ts'

/** Seeds may be raised for a long run, by FANFOLD_STAGE_SEEDS. */
const seeds = Number(process.env['FANFOLD_STAGE_SEEDS'] ?? 100)
const seedsPerTest = 25
const restsPerSeed = 3
const stepsPerRest = 40

const strategies = ['one_for_one', 'rest_for_one', 'one_for_all'] as const
const parts = strategies.flatMap((strategy) =>
  range(0, Math.ceil(seeds / seedsPerTest) - 1).map((part) => [strategy, part * seedsPerTest + 1] as const),
)

test.each(parts)(
  'S82, S83: %s: never two lives of one child, groups start in order and stop in reverse, nothing is left (seeds from %i)',
  async (strategy, firstSeed) => {
    let restartCount = 0
    for (const seed of range(firstSeed, firstSeed + seedsPerTest - 1)) {
      const family = new RandomFamily(strategy, seededRandom(seed))
      await family.open()
      for (let rest = 0; rest < restsPerSeed; rest++) {
        for (let step = 0; step < stepsPerRest; step++) await family.step()
        await family.rest()
      }
      const isAtRest = seed % 2 === 0
      for (let step = isAtRest ? stepsPerRest : 0; step < stepsPerRest; step++) await family.step()
      await family.stop(isAtRest)

      expect(family.faults, `seed ${seed}`).toEqual([])
      restartCount += family.restartCount
    }
    expect(restartCount, 'too little happened to prove anything').toBeGreaterThan(seedsPerTest * 5)
  },
)
