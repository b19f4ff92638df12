/** Files brought back by the built program, from each kind of target. */
import { test } from 'vitest'
import { backAfterTotalLoss, kinds } from './restoring.ts'

test.each(Object.entries(kinds))(
  '%s: after the loss of source and state every file is back, and is sent nowhere again',
  async (_name, kind) => {
    await backAfterTotalLoss(kind, 300, 60_000)
  },
  120_000,
)
