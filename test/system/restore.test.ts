/** Total loss of many files. FANFOLD_LOST_FILES says how many, where somebody has the time. */
import { expect, test } from 'vitest'
import { backAfterTotalLoss, kinds } from '../e2e/restoring.ts'

const wanted = process.env['FANFOLD_LOST_FILES']
const filesOf = (kind: string): number => Number(wanted ?? (kind === 'directory' ? 2000 : 200))
const cases = Object.keys(kinds).map((kind) => ({ kind, files: filesOf(kind) }))

test.each(cases)(
  '$kind: $files files with hostile names and times are back after the loss of source and state, and are sent nowhere again',
  async ({ kind, files }) => {
    const one = kinds[kind]
    if (one === undefined) expect.unreachable()
    await backAfterTotalLoss(one, files, 600_000)
  },
  1_200_000,
)
