import { expect, test } from 'vitest'
import { aSeed } from '../builders.ts'
import { pointsMin, sweep } from './crash-sweep.ts'

/** Every so many points fail, from a random one on; all of them in a long run. */
const stride = Number(process.env['FANFOLD_FAIL_STRIDE'] ?? 6)

test('F83: where a statement of the journal or a step of delivery on disk fails, the next life makes it whole', async () => {
  const first = 1 + (aSeed() % stride)
  expect(await sweep('fail', first, stride), `from point ${first}`).toBeGreaterThan(pointsMin)
}, 600_000)
