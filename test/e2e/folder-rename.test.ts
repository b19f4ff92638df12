import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { kindBenches } from './each-kind.ts'
import { fanfold, startDaemon } from './rig.ts'

const files = 60
/** Looks at both places and what lies above them, the move, and what has to be made for it. */
const requestsMax = 12

test.each(Object.entries(kindBenches))(
  'F32: a folder of many files that is renamed is renamed at a target of kind %s, live and while no daemon runs, for a few requests and no bytes',
  async (_kind, open) => {
    const bench = await open()
    const at = (path: string): string => join(bench.inbox, path)
    const names = Array.from({ length: files }, (_, index) => `${index % 4}/${index}.txt`)
    for (const folder of ['0', '1', '2', '3']) mkdirSync(at(`trip/${folder}`), { recursive: true })
    for (const name of names) writeFileSync(at(`trip/${name}`), name)
    const first = await startDaemon(bench)
    await first.until(({ targets }) => targets[0]?.delivered === files)
    const before = bench.requests()

    renameSync(at('trip'), at('journey'))
    await expect.poll(() => bench.paths(), { timeout: 15_000 }).toEqual(names.map((name) => `journey/${name}`).sort())
    const live = bench.requests()
    const [target] = (await first.status()).targets
    await first.end('SIGTERM')
    renameSync(at('journey'), at('voyage'))
    const last = await fanfold(bench, 'run', '--until-idle')
    const verified = await fanfold(bench, 'verify', 'cloud', '--json')

    expect(live - before).toBeLessThanOrEqual(requestsMax)
    expect(target).toMatchObject({ delivered: files, waiting: 0, parked: 0 })
    expect(last.code, last.stderr).toBe(0)
    expect(bench.paths()).toEqual(names.map((name) => `voyage/${name}`).sort())
    expect(verified.code, verified.stdout).toBe(0)
    expect((await fanfold(bench, 'history')).stdout).toContain('the folder journey is voyage now')
  },
)
