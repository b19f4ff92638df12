import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { openJournal } from '../../src/journal/journal.ts'
import { declared } from './rig.ts'
import { aFolder } from '../builders.ts'

test('the journal keeps a pace as it was given, over a restart', async () => {
  const file = join(aFolder(), 'journal.sqlite')
  const first = openJournal(file, systemClock).journal
  first.declareTarget('nas', declared('all'))
  first.declareTarget('usb', declared('all'))
  const pause = { untilMs: 1_800_000_000_123, waitMs: 60_000, reason: '429' }
  const month = { month: '2026-11', requests: 1234 }
  const before = first.pace('nas')
  await first.keepPace('nas', { day: '2026-11-20', bytes: 700 * 2 ** 30, ...month, pause: undefined })
  await first.keepPace('nas', { day: '2026-11-20', bytes: 701 * 2 ** 30, ...month, pause })
  first.close()

  const { journal } = openJournal(file, systemClock)

  expect(before).toBeUndefined()
  expect(journal.pace('nas')).toEqual({ day: '2026-11-20', bytes: 701 * 2 ** 30, ...month, pause })
  expect(journal.pace('usb')).toBeUndefined()
  journal.close()
})
