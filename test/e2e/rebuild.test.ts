import { test } from 'vitest'
import { canMount } from '../disk.ts'
import { rebuildAfterLoss } from './rebuilding.ts'

/** On a real disk each file costs some syncs. The system tests do it with 100,000. */
const files = canMount ? 10_000 : 1000

test(`F87: ${files} copies and no journal: nothing is sent again, progress shows, and killed half-way it goes on`, async () => {
  await rebuildAfterLoss(files)
}, 240_000)
