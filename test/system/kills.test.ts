import { test } from 'vitest'
import { aSeed } from '../builders.ts'
import { killDuringChurn } from '../e2e/churning.ts'

/** Side by side, since a daemon that starts keeps one core busy. */
const benches = 2
const killsEach = 100

test('F83: killed with -9 at 200 random moments during churn, at rest every target is right and every receipt true', async () => {
  const seed = aSeed()
  process.stdout.write(`seeds from ${seed}\n`)
  await Promise.all(Array.from({ length: benches }, (_, bench) => killDuringChurn(killsEach, seed + bench)))
}, 1_200_000)
