/** What becomes of what somebody else writes in a copy's place, at every kind of target. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { kindBenches, type KindBench } from './each-kind.ts'
import { fanfold, startDaemon, targetOf } from './rig.ts'

const soon = { timeout: 30_000, interval: 30 }

function setPolicy(bench: KindBench, policy: string): void {
  const text = readFileSync(bench.config, 'utf8').replace(/,? *on-conflict: [\w-]+/, '')
  const isFlow = text.includes("at: '{path}' }")
  const changed = isFlow
    ? text.replace("at: '{path}' }", `at: '{path}', on-conflict: ${policy} }`)
    : text.replace("at: '{path}'\n", `at: '{path}'\n    on-conflict: ${policy}\n`)
  writeFileSync(bench.config, changed)
}

test.each(Object.keys(kindBenches))(
  'F80: at %s keep-both leaves what somebody wrote beside the copy, and park leaves it in its place until its owner says so',
  async (kind) => {
    const bench = await kindBenches[kind]?.()
    if (bench === undefined) throw new Error(kind)
    const drop = (path: string, content: string): void => writeFileSync(join(bench.inbox, path), content)
    const arrived = (path: string, content: string): Promise<void> =>
      vi.waitFor(() => expect(bench.read(path)).toBe(content), soon)
    const besides = (): string[] => bench.paths().filter((path) => path.includes('conflict'))
    setPolicy(bench, 'keep-both')
    const daemon = await startDaemon(bench)
    drop('letter.txt', 'one')
    await arrived('letter.txt', 'one')

    bench.write('letter.txt', 'by hand')
    bench.write('new.txt', 'a stranger')
    // Google Drive's listing of a folder counts for a second; its names repeat, so that nothing is ever written over for want of a newer one.
    await sleep(1100)
    drop('letter.txt', 'two')
    drop('new.txt', 'ours')
    await arrived('letter.txt', 'two')
    await arrived('new.txt', 'ours')
    await daemon.until((status) => targetOf(status, 'cloud').delivered === 2)
    const kept = besides()
    const told = await fanfold(bench, 'history', 'letter.txt')
    // Nobody wrote there since.
    drop('letter.txt', 'three')
    await arrived('letter.txt', 'three')
    const keptStill = besides()
    setPolicy(bench, 'park')
    const reload = await fanfold(bench, 'reload')
    bench.write('letter.txt', 'by hand again')
    drop('letter.txt', 'four')
    await daemon.until((status) => targetOf(status, 'cloud').parked === 1)
    const parked = bench.read('letter.txt')
    const why = await fanfold(bench, 'why', 'letter.txt')
    await fanfold(bench, 'retry')
    await arrived('letter.txt', 'four')
    const after = await daemon.until((status) => targetOf(status, 'cloud').parked === 0)

    expect(kept).toHaveLength(2)
    expect(kept[0]).toMatch(/^letter \(conflict \d{4}-\d\d-\d\d [\da-f]{8}\)\.txt$/)
    expect(kept.map((path) => bench.read(path))).toEqual(['by hand', 'a stranger'])
    expect(told.stdout).toContain(`is kept as ${kept[0]}`)
    expect(keptStill).toEqual(kept)
    expect(reload.code, reload.stderr).toBe(0)
    expect(parked).toBe('by hand again')
    expect(why.stdout).toContain('run "fanfold retry", which puts the file in its place')
    expect(targetOf(after, 'cloud').reason).toBeNull()
    expect(bench.paths()).toEqual([...kept, 'letter.txt', 'new.txt'].sort())
  },
  60_000,
)
