import { test } from 'vitest'
import { rebuildAfterLoss } from '../e2e/rebuilding.ts'

test('F87: 100,000 copies and no journal: nothing is sent again, progress shows, and killed half-way it goes on', async () => {
  await rebuildAfterLoss(100_000)
}, 1_200_000)
