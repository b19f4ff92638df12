/** Total loss of many files, on disks in memory: what is measured is the work, not the syncs of a busy disk. */
import { test } from 'vitest'
import { backAfterTotalLoss, kinds } from '../e2e/restoring.ts'

const files = 5000

test.each(['directory', 'google-drive'] as const)(
  `%s: ${files} files with hostile names are back after the loss of source and state, and are sent nowhere again`,
  async (name) => {
    const kind = kinds[name]
    if (kind === undefined) throw new Error(`no kind ${name}`)
    await backAfterTotalLoss(kind, files, 300_000)
  },
  600_000,
)
