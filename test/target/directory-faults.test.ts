/** A directory that is full, read-only, gone, or holds things nobody expected. */
import { execFile } from 'node:child_process'
import { chmod, lstat, mkdir, mkdtemp, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { remotePath, type RemotePath } from '../../src/base/path.ts'
import type { LocalCopy, Target } from '../../src/target/target.ts'
import { aCopy, aWork, copyOf, failureOf, never } from './contract.ts'
import { aDirectory, aTarget, type DirectoryFixture, namesIn } from './directory-fixture.ts'

const run = promisify(execFile)
const MiB = 2 ** 20
const isRoot = process.getuid?.() === 0
const at = (path: string): RemotePath => remotePath(path)

let fixture: DirectoryFixture
let target: Target
let source: string

beforeEach(async () => {
  fixture = await aDirectory()
  target = fixture.target
  source = await mkdtemp(join(tmpdir(), 'fanfold-source-'))
})

afterEach(async () => {
  await target.close()
  await fixture.end()
  await rm(source, { recursive: true })
})

function put(copy: LocalCopy, path: string): Promise<unknown> {
  return target.put(copy, at(path), aWork(), never)
}

describe('full', () => {
  test('F68: a copy larger than what is free is refused with numbers before a byte is written', async () => {
    await target.open(undefined, never)
    const path = join(source, 'huge')
    await writeFile(path, '')
    await truncate(path, 2 ** 43)
    const huge = { ...(await copyOf(path, Buffer.alloc(0), true)), size: 2 ** 43 }

    const failure = await failureOf(put(huge, 'huge'))

    expect(failure.next).toEqual({ kind: 'pause-target', state: 'full' })
    expect(failure.message).toMatch(/8\.0 TiB are needed, .* are free/)
    expect(await fixture.names()).toEqual([])
  })

  test('F68: space that runs out in mid-copy leaves no torn file, and what was there stays', async () => {
    await target.open(undefined, never)
    const undo = await narrow(fixture.root)
    try {
      const { mark } = await target.open(undefined, never)
      await put(await aCopy(source, 'kept', { name: 'kept' }), 'kept')
      const large = await aCopy(source, Buffer.alloc(7 * MiB, 1), { isLarge: true })
      // Somebody else takes the space after it was found to be there.
      const allow = (): Promise<void> => writeFile(join(fixture.root, 'other'), Buffer.alloc(3 * MiB, 2))

      const failure = await failureOf(target.put(large, at('large'), aWork({ allow }), never))

      expect(failure.next).toEqual(isRoot ? { kind: 'pause-target', state: 'full' } : { kind: 'park' })
      expect(await fixture.names()).toEqual(['kept', 'other'])
      expect((await target.open(mark, never)).isSame).toBe(true)
    } finally {
      await target.close()
      await undo()
    }
  })
})

/** Makes room for less than 8 MiB: a small disk where we may mount one, else a limit on the size of any file, which fails a write just as late. */
async function narrow(root: string): Promise<() => Promise<void>> {
  if (isRoot) {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'none', root])
    return async () => {
      await run('umount', [root])
    }
  }
  const limit = (size: string): Promise<unknown> => run('prlimit', ['--pid', String(process.pid), `--fsize=${size}:`])
  await limit(String(5 * MiB))
  return async () => {
    await limit('unlimited')
  }
}

/** Makes the root refuse writes, whoever runs this. */
async function readOnly(root: string): Promise<() => Promise<void>> {
  if (!isRoot) {
    await chmod(root, 0o555)
    return () => chmod(root, 0o755)
  }
  await run('mount', ['--bind', root, root])
  await run('mount', ['-o', 'remount,ro,bind', root])
  return async () => {
    await run('umount', [root])
  }
}

test('a root that refuses writes pauses the target, on opening and on putting, and goes on afterwards', async () => {
  const { mark } = await target.open(undefined, never)
  const copy = await aCopy(source, 'x')
  const undo = await readOnly(fixture.root)

  const putting = await failureOf(put(copy, 'x')).finally(() => undefined)
  const large = await failureOf(put({ ...copy, bytes: undefined }, 'x'))
  const opening = await failureOf(target.open(mark, never))
  await undo()
  await target.open(mark, never)
  await put(copy, 'x')

  for (const failure of [putting, large, opening]) {
    expect(failure.next).toEqual({ kind: 'pause-target', state: 'read-only' })
  }
  expect(await fixture.held('x')).toEqual(Buffer.from('x'))
})

describe('missing', () => {
  test('F11: a root that is gone pauses the target and is not made again', async () => {
    const { mark } = await target.open(undefined, never)
    await rm(fixture.root, { recursive: true })

    const putting = await failureOf(put(await aCopy(source, 'x'), 'x'))
    const opening = await failureOf(target.open(mark, never))

    expect(putting.next).toEqual({ kind: 'pause-target', state: 'missing' })
    expect(opening.next).toEqual({ kind: 'pause-target', state: 'missing' })
    expect(await namesIn(fixture.base)).toEqual([])
  })

  test('a file in the place of the root pauses the target', async () => {
    await writeFile(fixture.root, '')

    const failure = await failureOf(target.open(undefined, never))

    expect(failure.next).toEqual({ kind: 'pause-target', state: 'missing' })
  })

  test('a root made anew by its owner is another place, whose copies have to be looked for', async () => {
    const { mark } = await target.open(undefined, never)
    await rename(fixture.root, `${fixture.root}-old`)
    await mkdir(fixture.root)

    const identity = await target.open(mark, never)

    expect(identity.isSame).toBe(false)
    expect(identity.mark).not.toBe(mark)
  })

  test('F11: another disk in its place pauses the target', async () => {
    const { mark } = await target.open(undefined, never)
    const [, inode, birth] = mark.split(':')

    const failure = await failureOf(target.open(`1:${Number(inode) + 1}:${birth}`, never))

    expect(failure.next).toEqual({ kind: 'pause-target', state: 'missing' })
    expect(failure.message).toContain('another disk or an empty mount point stands at')
  })

  test('F31: another device number after a reboot is the same place', async () => {
    const { mark } = await target.open(undefined, never)
    const [, inode, birth] = mark.split(':')

    const identity = await target.open(`1:${inode}:${birth}`, never)

    expect(identity).toEqual({ mark, isSame: true })
  })

  test('a place that is exchanged while the target is in use takes no copy', async () => {
    await target.open(undefined, never)
    await rename(fixture.root, `${fixture.root}-old`)
    await mkdir(fixture.root)

    const failure = await failureOf(put(await aCopy(source, 'x'), 'x'))

    expect(failure.next).toEqual({ kind: 'pause-target', state: 'missing' })
    expect(await fixture.names()).toEqual([])
  })
})

describe('things in the way', () => {
  beforeEach(() => target.open(undefined, never))

  test.each([false, true])('F39: a folder where the file must go parks it (large: %s)', async (isLarge) => {
    await mkdir(join(fixture.root, 'x/inside'), { recursive: true })

    const failure = await failureOf(put(await aCopy(source, 'x', { isLarge }), 'x'))

    expect(failure.next).toEqual({ kind: 'park' })
    expect(failure.message).toContain('a folder stands where the file x must be')
    expect(await fixture.names()).toEqual(['x'])
  })

  test.each([false, true])('F39: a file where a folder must be parks it (large: %s)', async (isLarge) => {
    await fixture.alter('x', 'file')

    const failure = await failureOf(put(await aCopy(source, 'y', { isLarge }), 'x/y'))

    expect(failure.next).toEqual({ kind: 'park' })
    expect(failure.message).toContain('a file stands where the folder x must be')
    expect(await fixture.names()).toEqual(['x'])
  })

  test.each([false, true])('F60: a link in the path is not followed out of the root (large: %s)', async (isLarge) => {
    const outside = join(fixture.base, 'outside')
    await mkdir(outside)
    await symlink(outside, join(fixture.root, 'link'))

    const failure = await failureOf(put(await aCopy(source, 'x', { isLarge }), 'link/x'))

    expect(failure.next).toEqual({ kind: 'park' })
    expect(failure.message).toContain('a symbolic link stands where the folder link must be')
    expect(await namesIn(outside)).toEqual([])
  })

  test('F60: a link in the place of the file is neither followed nor replaced', async () => {
    const outside = join(fixture.base, 'outside')
    await writeFile(outside, 'theirs')
    await symlink(outside, join(fixture.root, 'x'))

    const failure = await failureOf(put(await aCopy(source, 'x'), 'x'))

    expect(failure.next).toEqual({ kind: 'park' })
    expect(await readFile(outside, 'utf8')).toBe('theirs')
    expect((await lstat(join(fixture.root, 'x'))).isSymbolicLink()).toBe(true)
  })

  test('F60: a link in the place of its own folder is not followed either', async () => {
    const outside = join(fixture.base, 'outside')
    await mkdir(outside)
    await symlink(outside, join(fixture.root, '.fanfold-tmp'))

    const failure = await failureOf(put(await aCopy(source, 'x'), 'x'))

    expect(failure.next).toEqual({ kind: 'pause-target', state: 'paused' })
    expect(await namesIn(outside)).toEqual([])
  })

  test('a copy that would be taken for one of its own things is parked', async () => {
    const failure = await failureOf(put(await aCopy(source, 'x'), '.fanfold-tmp/x'))

    expect(failure.next).toEqual({ kind: 'park' })
    expect(failure.message).toContain('reserved')
  })

  test('what fails for one file of a batch fails that file only', async () => {
    await mkdir(join(fixture.root, 'f3'))
    const copies = await Promise.all([1, 2, 3, 4, 5].map((n) => aCopy(source, `${n}`, { name: `f${n}` })))

    const results = await Promise.allSettled(copies.map((copy, n) => put(copy, `f${n + 1}`)))

    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ])
    expect(await fixture.names()).toEqual(['f1', 'f2', 'f3', 'f4', 'f5'])
  })

  test('F79: a folder that somebody removed is made again', async () => {
    await put(await aCopy(source, '1'), 'a/b/1')
    await rm(join(fixture.root, 'a'), { recursive: true })

    await put(await aCopy(source, '2'), 'a/b/2')

    expect(await namesIn(join(fixture.root, 'a/b'))).toEqual(['2'])
  })
})

describe('taking away', () => {
  beforeEach(() => target.open(undefined, never))

  test('F36: what goes to the trash lies there by day, every version of it', async () => {
    for (const content of ['one', 'two']) {
      await target.remove(await target.put(await aCopy(source, content), at('a/x'), aWork(), never), 'trash', never)
    }

    const trash = join(fixture.root, '.fanfold-trash')
    const [day = '', second = ''] = await namesIn(trash)
    expect(day).toMatch(/^\d{4}-\d\d-\d\d$/)
    expect(await readFile(join(trash, day, 'a/x'), 'utf8')).toBe('one')
    expect(await readFile(join(trash, second, 'a/x'), 'utf8')).toBe('two')
    expect(await fixture.names()).toEqual(['.fanfold-trash'])
  })

  test('what stands in the place of the trash holds back what is to go there, and nothing else', async () => {
    const receipt = await target.put(await aCopy(source, 'one'), at('x'), aWork(), never)
    const trash = join(fixture.root, '.fanfold-trash')
    const remove = (): Promise<void> => target.remove(receipt, 'trash', never)

    await writeFile(trash, 'theirs')
    const blocked = await failureOf(remove())
    await rm(trash)
    await symlink(source, trash)
    const linked = await failureOf(remove())
    await rm(trash)

    expect([blocked.next, linked.next]).toEqual([{ kind: 'park' }, { kind: 'park' }])
    expect(blocked.message).toContain('a file stands where the folder .fanfold-trash must be; move it away')
    expect(linked.message).toContain('a symbolic link stands where the folder .fanfold-trash must be')
    await remove()
    expect(await fixture.names()).toEqual(['.fanfold-trash'])
  })

  test('folders that a removal or a move leaves empty go, others stay', async () => {
    const removed = await target.put(await aCopy(source, '1'), at('a/b/c/1'), aWork(), never)
    const moved = await target.put(await aCopy(source, '2'), at('d/e/2'), aWork(), never)
    await put(await aCopy(source, '3'), 'a/3')

    await target.remove(removed, 'purge', never)
    await target.move(moved, at('2'), never)

    expect(await fixture.names()).toEqual(['2', 'a'])
    expect(await namesIn(join(fixture.root, 'a'))).toEqual(['3'])
  })
})

test('at rest source and target are equal for diff -r', async () => {
  await target.open(undefined, never)
  for (let n = 0; n < 20; n++) {
    const isLarge = n % 2 === 0
    await put(await aCopy(source, `content ${n}`, { name: `f${n}`, isLarge }), `f${n}`)
  }

  const { stdout } = await run('diff', ['-r', source, fixture.root])

  expect(stdout).toBe('')
})

test('opening again sweeps what small copies left, and large ones nobody took up for a week', async () => {
  const { mark } = await target.open(undefined, never)
  const folder = join(fixture.root, '.fanfold-tmp')
  await mkdir(folder)
  for (const name of ['small-1', 'large-new', 'large-old']) await writeFile(join(folder, name), '')
  await run('touch', ['-d', '8 days ago', join(folder, 'large-old')])

  await target.open(mark, never)
  const opened = await namesIn(folder)
  await target.rest()

  expect(opened).toEqual(['large-new'])
  expect(await fixture.names()).toEqual([])
})

test('closing rejects what is under way and a second target goes on', async () => {
  const other = aTarget(join(fixture.base, 'other'))
  await target.open(undefined, never)
  await other.open(undefined, never)
  const stuck = aWork({ allow: () => target.close() })

  const failure = await failureOf(target.put(await aCopy(source, 'x', { isLarge: true }), at('x'), stuck, never))
  await other.put(await aCopy(source, 'y'), at('y'), aWork(), never)
  await other.close()

  expect(failure.next).toEqual({ kind: 'retry' })
})
