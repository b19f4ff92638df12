import { test } from 'vitest'
import { aSeed } from '../builders.ts'
import { killDuringChurn } from './churning.ts'

/** More of them in a long run. */
const kills = Number(process.env['FANFOLD_KILLS'] ?? 30)

test(
  `F83: killed with -9 at ${kills} random moments during churn, at rest every target is right and every receipt true`,
  { timeout: kills * 8_000 },
  async () => {
    const seed = aSeed()
    process.stdout.write(`seed ${seed}\n`)
    await killDuringChurn(kills, seed)
  },
)
