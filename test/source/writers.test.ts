/** F24: whether somebody still has a file open for writing, asked of the kernel. */
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { sourcePath } from '../../src/base/path.ts'
import { systemClock } from '../../src/base/clock.ts'
import { aWorld, atRest, endWorlds, tempFolder, until, type World } from './world.ts'

afterEach(endWorlds)

const image = sourcePath('image')

/** A program that opens a file, writes or reads once, and keeps it open until it is told to stop. */
function aProgram(world: World, path: string, opening: '>>' | '<'): { stop(): void } {
  const work = opening === '<' ? 'read line <&3' : 'echo text >&3'
  const child = spawn('sh', ['-c', `exec 3${opening}"$1"; ${work}; read stopped`, 'sh', join(world.root, path)], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const stop = (): void => void child.stdin.end()
  onTestFinished(stop)
  return { stop }
}

const settled = (): Promise<void> => systemClock.sleep(700, new AbortController().signal)

describe('F24: with check-writers', () => {
  test('a file that rests but is open for writing waits, which why tells, and is taken when it is closed; a reader keeps nobody waiting', async () => {
    const world = await aWorld({ settleMs: 100, checkWriters: true })
    const writer = aProgram(world, 'image', '>>')
    writeFileSync(join(world.root, 'read'), 'a line\n')
    aProgram(world, 'read', '<')
    await until(() => world.source.whyNot(image)?.includes('open for writing') === true)
    await settled()
    const [before, why] = [world.ledger.lines, world.source.whyNot(image)]

    writer.stop()
    await until(() => world.ledger.paths.includes('image'))

    expect(before).toEqual(['put read'])
    expect(why).toMatch(/^changing for .*; open for writing by sh \(process \d+\)$/)
    expect(world.ledger.file('papers', image)?.size).toBe(5)
    expect(world.source.whyNot(image)).toBeUndefined()
  })

  test('a file that is renamed while it is open is a move at once, and its content waits', async () => {
    const world = await aWorld({ settleMs: 100, checkWriters: true })
    writeFileSync(join(world.root, 'image'), 'known')
    await until(() => world.ledger.paths.length === 1)
    await atRest(world, 300)
    execFileSync('sh', ['-c', ': >>"$1"', 'sh', join(world.root, 'image')])
    const holder = spawn('sh', ['-c', 'exec 3>>"$1"; read stopped', 'sh', join(world.root, 'image')], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    onTestFinished(() => void holder.stdin.end())
    await until(() => readFileSync(`/proc/${holder.pid ?? 0}/comm`, 'latin1').trim() === 'sh')
    await settled()

    renameSync(join(world.root, 'image'), join(world.root, 'picture'))
    await until(() => world.ledger.paths.join() === 'picture')

    expect(world.ledger.lines.at(-1)).toBe('move image picture')
  })

  test('and snapshots, what is open without end is taken as it is every so often', async () => {
    const limits = { settleMs: 100, unsettledMsMax: 500, unsettled: 'snapshot' } as const
    const world = await aWorld({ ...limits, checkWriters: true })
    aProgram(world, 'image', '>>')

    await until(() => world.ledger.paths.includes('image'))

    expect(world.ledger.file('papers', image)?.size).toBe(5)
  })

  test.runIf(process.getuid?.() === 0)('programs of other users are counted, and keep no file waiting', () => {
    const folder = tempFolder()
    chmodSync(folder, 0o755)
    mkdirSync(join(folder, 'in'))
    writeFileSync(join(folder, 'in/file'), 'x')
    const held = spawn('sh', ['-c', 'exec 3>>"$1"; read stopped', 'sh', join(folder, 'in/file')], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    onTestFinished(() => void held.stdin.end())
    const module = fileURLToPath(new URL('../../dist/source/writers.js', import.meta.url))
    const script = `import(process.argv[1]).then(({ writersOf }) => {
      const { who, hiddenCount } = writersOf([process.argv[2]])
      console.log(JSON.stringify({ who, isHidden: hiddenCount > 0 }))
    })`

    const said = execFileSync(process.execPath, ['-e', script, module, join(folder, 'in/file')], {
      ...{ uid: 65_534, gid: 65_534, encoding: 'utf8' },
    })

    expect(said.trim()).toBe('{"who":[null],"isHidden":true}')
  })
})
