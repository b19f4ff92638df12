/** F81: two daemons that were given the same place. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { aBench, fanfold, startDaemon, type Bench } from './rig.ts'

/** Another Fanfold whose only target is the first one's folder. */
function beside(first: Bench): Bench {
  const second = aBench({ nas: '' })
  const text = readFileSync(second.config, 'utf8').replace('./copies/nas', first.copies('nas'))
  writeFileSync(second.config, text)
  return second
}

test('F81: the second one keeps away and says what to do; take-over gives it the place, and the first one keeps away then', async () => {
  const first = aBench({ nas: '' })
  const second = beside(first)
  writeFileSync(join(first.inbox, 'a'), 'from the first')
  writeFileSync(join(second.inbox, 'a'), 'from the second')
  expect((await fanfold(first, 'run', '--until-idle')).code).toBe(0)

  const daemon = await startDaemon(second)
  const refused = await daemon.until(({ targets }) => targets[0]?.state === 'paused')
  const kept = readFileSync(join(first.copies('nas'), 'a'), 'utf8')
  const taken = await fanfold(second, 'take-over', 'nas')
  const healed = await daemon.until(({ targets }) => targets[0]?.delivered === 1 && targets[0].waiting === 0)
  await daemon.end('SIGTERM')
  writeFileSync(join(first.inbox, 'b'), 'new')
  const back = await fanfold(first, 'run', '--until-idle')

  expect(refused.targets[0]?.reason).toMatch(/another Fanfold \(on .*fanfold take-over nas/)
  expect(kept).toBe('from the first')
  expect([taken.code, taken.stdout]).toEqual([0, 'nas: belongs to this Fanfold from now on\n'])
  expect(healed.healthy).toBe(true)
  expect(back.code).toBe(1)
  expect(readFileSync(join(first.copies('nas'), 'a'), 'utf8')).toBe('from the second')
})

test('F81: one that lost its state goes on where it was; take-over without a daemon counts at the next start', async () => {
  const first = aBench({ nas: '' })
  const second = beside(first)
  writeFileSync(join(first.inbox, 'a'), 'from the first')
  await fanfold(first, 'run', '--until-idle')

  rmSync(join(first.folder, 'state'), { recursive: true })
  const anew = await fanfold(first, 'run', '--until-idle')
  writeFileSync(join(second.inbox, 'a'), 'from the second')
  const before = await fanfold(second, 'run', '--until-idle')
  const nameless = await fanfold(second, 'take-over')
  await fanfold(second, 'take-over', 'nas')
  const after = await fanfold(second, 'run', '--until-idle')

  expect([anew.code, before.code, nameless.code, after.code]).toEqual([0, 1, 2, 0])
})
