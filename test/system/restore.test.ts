/** Total loss of many files. */
import { expect, test } from 'vitest'
import { backAfterTotalLoss, kinds } from '../e2e/restoring.ts'

const files = 2000

test(`a directory: ${files} files with hostile names are back after the loss of source and state, and are sent nowhere again`, async () => {
  const kind = kinds['directory']
  if (kind === undefined) expect.unreachable()
  await backAfterTotalLoss(kind, files, 300_000)
}, 600_000)
