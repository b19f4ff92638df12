/** One half of the points, as the two halves take their time side by side. */
import { expect, test } from 'vitest'
import { pointsMin, sweep } from './crash-sweep.ts'

test('F83: ended at every odd statement of the journal and step of delivery on disk, the next life makes it whole', async () => {
  expect(await sweep('end', 1, 2)).toBeGreaterThan(pointsMin)
}, 600_000)
