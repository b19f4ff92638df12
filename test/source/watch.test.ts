import { spawnSync, execFileSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { sourcePath } from '../../src/base/path.ts'
import { aWorld, atRest, endWorlds, until } from './world.ts'

afterEach(endWorlds)

const never = new AbortController().signal

describe('what the watch brings', () => {
  test('F6: a file written and closed is one put with the stat it has', async () => {
    const world = await aWorld()

    writeFileSync(join(world.root, 'a'), 'hello')
    await until(() => world.ledger.taken.length > 0)
    await atRest(world)

    expect(world.ledger.lines).toEqual(['put a'])
    expect(world.ledger.file('papers', sourcePath('a'))?.size).toBe(5)
  })

  test('F20: a file that was closed does not wait for the settle time', async () => {
    const world = await aWorld({ settleMs: 60_000 })

    writeFileSync(join(world.root, 'a'), 'hello')
    await until(() => world.ledger.paths.includes('a'))

    expect(world.source.state().settling).toBe(0)
  })

  test('F20: a slow writer is not taken before it stops', async () => {
    const world = await aWorld({ settleMs: 400 })
    const fd = openSync(join(world.root, 'slow'), 'w')

    for (let written = 0; written < 8; written++) {
      writeSync(fd, 'x')
      await systemClock.sleep(150, never)
    }
    const takenWhileWriting = world.ledger.taken.length
    closeSync(fd)
    await until(() => world.ledger.paths.includes('slow'))

    expect(takenWhileWriting).toBe(0)
    expect(world.ledger.file('papers', sourcePath('slow'))?.size).toBe(8)
  })

  test('F20: a file that is kept open is taken once it rests for the settle time', async () => {
    const world = await aWorld({ settleMs: 200 })
    const fd = openSync(join(world.root, 'open'), 'w')

    writeSync(fd, 'x')
    await until(() => world.ledger.paths.includes('open'))
    closeSync(fd)

    expect(world.ledger.file('papers', sourcePath('open'))?.size).toBe(1)
  })

  test('F25: an atomic save is one put of the target, and the temporary name never appears', async () => {
    const world = await aWorld({ before: (root) => writeFileSync(join(root, 'doc'), 'old') })
    await until(() => world.ledger.paths.includes('doc'))
    const before = world.ledger.taken.length

    writeFileSync(join(world.root, 'doc.new'), 'newer')
    renameSync(join(world.root, 'doc.new'), join(world.root, 'doc'))
    await until(() => world.ledger.taken.length > before)
    await atRest(world)

    expect(world.ledger.lines.slice(before)).toEqual(['put doc'])
    expect(world.ledger.file('papers', sourcePath('doc'))?.size).toBe(5)
  })

  test('F26: a file deleted and created again within the settle time is never a removal', async () => {
    const world = await aWorld({ settleMs: 500 })
    writeFileSync(join(world.root, 'a'), 'one')
    await until(() => world.ledger.paths.includes('a'))

    rmSync(join(world.root, 'a'))
    await systemClock.sleep(100, never)
    writeFileSync(join(world.root, 'a'), 'other')
    await atRest(world, 700)

    expect(world.ledger.lines).toEqual(['put a', 'put a'])
  })

  test('a deleted file is removed, not before the settle time', async () => {
    const world = await aWorld({ settleMs: 500 })
    writeFileSync(join(world.root, 'a'), 'one')
    await until(() => world.ledger.paths.includes('a'))

    const deletedMs = systemClock.monotonicMs()
    rmSync(join(world.root, 'a'))
    await until(() => world.ledger.paths.length === 0)

    expect(systemClock.monotonicMs() - deletedMs).toBeGreaterThanOrEqual(490)
    expect(world.ledger.lines).toEqual(['put a', 'remove a'])
  })

  test('F12: a touch is a put with the new stat', async () => {
    const world = await aWorld()
    writeFileSync(join(world.root, 'a'), 'one')
    await until(() => world.ledger.paths.includes('a'))

    utimesSync(join(world.root, 'a'), 1, 1)
    await until(() => world.ledger.file('papers', sourcePath('a'))?.mtimeNs === 1_000_000_000n)

    expect(world.ledger.lines).toEqual(['put a', 'put a'])
  })

  test('F32: of a renamed folder every file moves, and it is watched under its new name', async () => {
    const world = await aWorld()
    mkdirSync(join(world.root, 'a/sub'), { recursive: true })
    writeFileSync(join(world.root, 'a/x'), '1')
    writeFileSync(join(world.root, 'a/sub/y'), '2')
    await until(() => world.ledger.paths.length === 2)

    renameSync(join(world.root, 'a'), join(world.root, 'b'))
    await until(
      () => world.ledger.paths.join() === 'b/sub/y,b/x',
      () => world.ledger.lines,
    )
    writeFileSync(join(world.root, 'b/sub/z'), '3')
    await until(() => world.ledger.paths.includes('b/sub/z'))
    await atRest(world)

    expect(world.ledger.lines.slice(2).sort()).toEqual(['move a/sub/y b/sub/y', 'move a/x b/x', 'put b/sub/z'])
    expect(world.source.state().watched).toBe(3)
  })

  test('F39: a folder in the place of a file, and a file in the place of a folder', async () => {
    const world = await aWorld()
    mkdirSync(join(world.root, 'folder'))
    writeFileSync(join(world.root, 'folder/inside'), '1')
    writeFileSync(join(world.root, 'file'), '1')
    await until(() => world.ledger.paths.length === 2)

    rmSync(join(world.root, 'folder'), { recursive: true })
    writeFileSync(join(world.root, 'folder'), '2')
    rmSync(join(world.root, 'file'))
    mkdirSync(join(world.root, 'file'))
    writeFileSync(join(world.root, 'file/inside'), '2')

    await until(
      () => world.ledger.paths.join() === 'file/inside,folder',
      () => world.ledger.lines,
    )
  })
})

describe('new folders', () => {
  test('F5: folders nested and filled at full speed lose no file', async () => {
    const world = await aWorld()
    const script =
      'for i in $(seq 60); do mkdir -p d$i/e/f/g; for p in d$i d$i/e d$i/e/f d$i/e/f/g; do for n in 1 2 3 4 5; do echo x > $p/$n; done; done; done'

    execFileSync('sh', ['-c', script], { cwd: world.root })
    await until(
      () => world.ledger.paths.length === 1_200,
      () => world.ledger.paths.length,
    )

    expect(world.source.state().watched).toBe(241)
  })

  test('F3: there are as many watches as folders, whatever the number of files', async () => {
    const world = await aWorld()

    for (const folder of ['a', 'a/b', 'c']) {
      mkdirSync(join(world.root, folder))
      for (let n = 0; n < 50; n++) writeFileSync(join(world.root, folder, `f${n}`), '')
    }
    await until(() => world.ledger.paths.length === 150)
    rmSync(join(world.root, 'a'), { recursive: true })
    await until(() => world.ledger.paths.length === 50)

    expect(world.source.state().watched).toBe(2)
    expect(watchesOfThisProcess()).toBe(2)
  })

  test('a folder moved in from elsewhere brings all its files, one moved out takes them away', async () => {
    const world = await aWorld()
    const outside = join(world.root, '../outside')
    mkdirSync(join(outside, 'deep'), { recursive: true })
    writeFileSync(join(outside, 'deep/x'), '1')

    renameSync(outside, join(world.root, 'in'))
    await until(() => world.ledger.paths.join() === 'in/deep/x')
    renameSync(join(world.root, 'in'), outside)
    await until(() => world.ledger.paths.length === 0)
    writeFileSync(join(outside, 'deep/y'), '1')
    await atRest(world)

    expect(world.ledger.lines).toEqual(['put in/deep/x', 'remove in/deep/x'])
  })
})

describe('what is left alone', () => {
  test('F50, F51: links, FIFOs and sockets are counted and never opened, a loop of links ends', async () => {
    const socket = createServer()
    const world = await aWorld({
      before: (root) => {
        execFileSync('mkfifo', [join(root, 'fifo')])
        symlinkSync('.', join(root, 'loop'))
        symlinkSync('real', join(root, 'link'))
        writeFileSync(join(root, 'real'), 'x')
        socket.listen(join(root, 'socket'))
      },
    })

    execFileSync('mkfifo', [join(world.root, 'fifo2')])
    await until(
      () => world.source.state().skipped.get('fifo') === 2,
      () => [...world.source.state().skipped],
    )
    await until(() => world.ledger.paths.includes('real'))
    socket.close()

    expect(world.source.state().skipped.get('link')).toBe(2)
    expect(world.source.state().skipped.get('socket')).toBe(1)
    expect(world.ledger.paths).toEqual(['real'])
  })

  test('F15: a file behind a link to a folder is not taken, even if its path was dirty', async () => {
    const world = await aWorld()
    mkdirSync(join(world.root, 'a'))
    writeFileSync(join(world.root, 'a/x'), '1')
    await until(() => world.ledger.paths.includes('a/x'))
    const outside = join(world.root, '../outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'x'), 'from outside')

    rmSync(join(world.root, 'a'), { recursive: true })
    symlinkSync(outside, join(world.root, 'a'))
    await until(
      () => world.ledger.paths.length === 0,
      () => world.ledger.lines,
    )

    expect(world.ledger.lines).toEqual(['put a/x', 'remove a/x'])
  })
})

describe('names', () => {
  test('F17: names that are no UTF-8 arrive by watch and by scan, and are removed again', async () => {
    const world = await aWorld()
    const made = (name: string): string => `mkdir -p "$(printf 'd\\377')" && echo x > "$(printf 'd\\377/${name}\\200')"`

    spawnSync('sh', ['-c', made('one')], { cwd: world.root })
    await until(() => world.ledger.paths.length === 1)
    const again = await world.restart(() => spawnSync('sh', ['-c', made('two')], { cwd: world.root }))
    await until(() => again.ledger.paths.length === 2)

    expect(again.ledger.paths).toEqual(['d\udcff/one\udc80', 'd\udcff/two\udc80'])
    spawnSync('sh', ['-c', 'rm -r ./*'], { cwd: world.root })
    await until(() => again.ledger.paths.length === 0)
  })
})

/** Watches the kernel counts for this process's inotify instances. */
function watchesOfThisProcess(): number {
  const lines = readdirSync('/proc/self/fdinfo').map((fd) => {
    const shown = spawnSync('grep', ['-c', '^inotify', `/proc/${process.pid}/fdinfo/${fd}`], { encoding: 'latin1' })
    return Number(shown.stdout)
  })
  return lines.reduce((sum, count) => sum + count, 0)
}
