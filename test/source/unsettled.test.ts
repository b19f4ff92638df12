/** F21: files that never come to rest, and what lies there and is no file: told, never torn, and never in the way. */
import { closeSync, mkdirSync, openSync, renameSync, rmSync, symlinkSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { sourcePath } from '../../src/base/path.ts'
import { aWorld, atRest, endWorlds, until, type World } from './world.ts'

afterEach(endWorlds)

const log = sourcePath('app.log')

/** A file that is kept open and gets a line every 100 ms, until it is told to stop. */
function aWriter(world: World): { stop(): void; written(): number } {
  const fd = openSync(join(world.root, log), 'w')
  let lines = 0
  const write = (): void => {
    lines++
    writeSync(fd, 'a line\n')
    timer = systemClock.after(100, write)
  }
  let timer = systemClock.after(0, write)
  return {
    written: () => lines * 7,
    stop() {
      timer.clear()
      closeSync(fd)
    },
  }
}

describe('F21: a file that never rests', () => {
  test('is waited for, named in the status and by why, and taken as soon as it rests', async () => {
    const world = await aWorld({ settleMs: 250, unsettledMsMax: 600 })
    const writer = aWriter(world)

    await until(() => world.source.state().reason !== null)
    const { state, reason } = world.source.state()
    const why = world.source.whyNot(log)
    const taken = world.ledger.taken.length
    await systemClock.sleep(600, new AbortController().signal)
    writer.stop()
    await until(() => world.ledger.paths.length === 1)
    await atRest(world)

    expect([state, taken]).toEqual(['watching', 0])
    expect(reason).toMatch(/^1 file has not come to rest for more than .*\(app\.log\).*unsettled: snapshot$/)
    expect(why).toMatch(/^changing for .*; copied once it is closed, or rests for /)
    expect(world.notes.filter(({ event }) => event === 'unsettled')).toMatchObject([{ path: log }])
    expect(world.source.state().reason).toBeNull()
    expect(world.source.whyNot(log)).toBeUndefined()
    expect(world.ledger.file('papers', log)?.size).toBe(writer.written())
  })

  test('is taken as it is every so often where snapshots are wanted, and whole in the end', async () => {
    const world = await aWorld({ settleMs: 250, unsettledMsMax: 600, unsettled: 'snapshot' })
    const writer = aWriter(world)

    await until(() => world.ledger.taken.length >= 2)
    const snapshots = world.ledger.taken.flatMap((change) => (change.kind === 'put' ? [change.stat.size] : []))
    writer.stop()
    await until(() => world.ledger.file('papers', log)?.size === writer.written())

    // One in 600 ms, of a file that grows every 100 ms.
    expect((snapshots[1] ?? 0) - (snapshots[0] ?? 0)).toBeGreaterThanOrEqual(3 * 7)
  })
})

describe('F50: a link', () => {
  test('into the tree, out of it, or to nothing is left alone and counted; why says what to do', async () => {
    const world = await aWorld({
      before: (root) => {
        mkdirSync(join(root, '../elsewhere'))
        writeFileSync(join(root, '../elsewhere/x'), 'not ours')
        writeFileSync(join(root, 'real'), 'x')
        symlinkSync('real', join(root, 'inside'))
        symlinkSync('../elsewhere', join(root, 'outside'))
        symlinkSync('nothing', join(root, 'dangling'))
      },
    })

    await atRest(world, 500)

    expect(world.ledger.paths).toEqual(['real'])
    expect(world.source.state().skipped.get('link')).toBe(3)
    expect(world.source.whyNot(sourcePath('outside'))).toMatch(/^a link; .* source of its own$/)
  })

  test('in the place of a file is its removal; a file in the place of a link is taken', async () => {
    const world = await aWorld()
    writeFileSync(join(world.root, 'file'), 'x')
    symlinkSync('file', join(world.root, 'link'))
    await until(() => world.ledger.paths.includes('file'))

    renameSync(join(world.root, 'link'), join(world.root, 'file'))
    await until(() => world.ledger.paths.length === 0)
    rmSync(join(world.root, 'file'))
    writeFileSync(join(world.root, 'file'), 'y')
    await until(() => world.ledger.paths.includes('file'))

    expect(world.ledger.lines).toEqual(['put file', 'remove file', 'put file'])
  })
})

test('F56: empty files are taken; an empty folder is watched and nothing else until its first file comes', async () => {
  const world = await aWorld()
  mkdirSync(join(world.root, 'empty/deep'), { recursive: true })
  writeFileSync(join(world.root, 'nothing'), '')
  await until(() => world.ledger.paths.includes('nothing') && world.source.state().watched === 3)
  await atRest(world)
  const before = world.ledger.lines

  writeFileSync(join(world.root, 'empty/deep/first'), '')
  await until(() => world.ledger.taken.length > 1)

  expect(before).toEqual(['put nothing'])
  expect(world.ledger.lines).toEqual(['put nothing', 'put empty/deep/first'])
})
