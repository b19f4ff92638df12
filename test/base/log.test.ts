/** Log lines as their readers get them: JSON, words, or words with levels for systemd's journal; and their share when there are many. */
import { fstatSync } from 'node:fs'
import { expect, test } from 'vitest'
import { LogLimit } from '../../src/base/log-limit.ts'
import { logForm, type LogForm } from '../../src/base/log-form.ts'
import { openLog, type Log } from '../../src/base/log.ts'
import { ManualClock } from '../manual-clock.ts'

const journalText: LogForm = { isJson: false, hasPrefix: true }

function aLog(form?: LogForm, debugRooms?: string): { log: Log; lines: string[] } {
  const lines: string[] = []
  const log = openLog('lane', { write: (line) => void lines.push(line) }, debugRooms, form)
  return { log, lines }
}

test('F109: in the journal every line carries its level', () => {
  const { log, lines } = aLog(journalText, 'lane')

  log.error('failed', { target: 'nas', ms: 12 })
  log.warn('slow')
  log.info('delivered')
  log.debug('asked')

  expect(lines).toEqual([
    '<3>lane: failed target=nas ms=12\n',
    '<4>lane: slow\n',
    '<6>lane: delivered\n',
    '<7>lane: asked\n',
  ])
})

test('F109: no value breaks a line or the end of another value', () => {
  const { log, lines } = aLog(journalText)

  log.warn('failed', { error: 'two\nlines', path: 'a b', reason: 'x=1', attempt: undefined, target: null })

  expect(lines).toEqual(['<4>lane: failed error="two\\nlines" path="a b" reason="x=1" target=null\n'])
})

test('F109: JSON lines in the journal carry the level as well', () => {
  const { log, lines } = aLog({ isJson: true, hasPrefix: true })

  log.error('failed', { target: 'nas' })

  expect(lines[0]).toMatch(/^<3>\{.*\}\n$/)
  expect(JSON.parse((lines[0] ?? '').slice(3))).toMatchObject({ level: 50, room: 'lane', target: 'nas', msg: 'failed' })
})

test('debug lines of a room that is not opened are not written', () => {
  const { log, lines } = aLog(journalText, 'source')

  log.debug('asked')

  expect([log.hasDebug, lines]).toEqual([false, []])
})

test.each([
  [{}, false, { isJson: true, hasPrefix: false }],
  [{}, true, { isJson: false, hasPrefix: true }],
  [{ FANFOLD_LOG: 'json' }, true, { isJson: true, hasPrefix: true }],
  [{ FANFOLD_LOG: 'text' }, false, { isJson: false, hasPrefix: false }],
])('the form of %j, read by the journal: %s', (environment, isRead, form) => {
  expect(logForm(environment, isRead)).toEqual(form)
})

test('the journal reads only where JOURNAL_STREAM names standard error itself', () => {
  const { dev, ino } = fstatSync(2, { bigint: true })

  expect(logForm({ JOURNAL_STREAM: `${dev}:${ino}` })).toEqual(journalText)
  expect(logForm({ JOURNAL_STREAM: `${dev}:${ino + 1n}` })).toEqual({ isJson: true, hasPrefix: false })
})

test('F109: past its share a kind of line is counted, others go on; the count is told when the time is over', () => {
  const clock = new ManualClock()
  const { log, lines } = aLog(journalText)
  const limited = new LogLimit(clock).around('lane', log)

  for (let n = 0; n < 1000; n++) limited.warn('put failed', { attempt: n })
  limited.info('delivered')
  const during = [...lines]
  clock.advance(30_000)
  limited.warn('put failed')

  expect(during).toHaveLength(51)
  expect(during.at(-1)).toBe('<6>lane: delivered\n')
  expect(lines.slice(51)).toEqual(['<4>lane: put failed suppressed=950 ms=30000\n', '<4>lane: put failed\n'])
})

test('F109: what was left out is told at the end, too', () => {
  const { log, lines } = aLog(journalText)
  const limit = new LogLimit(new ManualClock())
  const limited = limit.around('lane', log)

  for (let n = 0; n < 60; n++) limited.error('failed')
  limit.close()

  expect(lines.at(-1)).toBe('<3>lane: failed suppressed=10 ms=30000\n')
})
