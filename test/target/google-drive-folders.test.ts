/** Folders at Google Drive, which has no paths: made once each, known by id, found again; and what different logins and drives can see. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type RemotePath, remotePath } from '../../src/base/path.ts'
import type { Item } from '../emulator/google-drive/items.ts'
import { ownScope } from '../emulator/google-drive/login.ts'
import { aCopy, all, aWork, failureOf, never } from './contract.ts'
import { aDriveTarget, type DriveFixture, type DriveWish } from './google-drive-fixture.ts'

const at = (path: string): RemotePath => remotePath(path)

let fixture: DriveFixture
let source: string

async function begin(wish?: DriveWish): Promise<string> {
  fixture = await aDriveTarget(wish)
  return (await fixture.target.open(undefined, never)).mark
}

beforeEach(async () => {
  source = await mkdtemp(join(tmpdir(), 'fanfold-source-'))
})

afterEach(async () => {
  await fixture.target.close()
  await rm(source, { recursive: true })
})

const itemsAt = (path: string): readonly Item[] => fixture.rig.emulator.provider.owner.itemsAt(path)

async function put(path: string, content = path, target = fixture.target): Promise<void> {
  await target.put(await aCopy(source, content, { name: 'source' }), at(path), aWork(), never)
}

const paths = (): readonly string[] =>
  fixture.rig.emulator.provider.owner.list().flatMap(({ path, kind }) => (kind === 'file' ? [path] : []))

describe('a folder', () => {
  test('F55: that many copies need at once is made once', async () => {
    await begin()
    const copies = await Promise.all(Array.from({ length: 20 }, (_, n) => aCopy(source, String(n), { name: `f${n}` })))

    await Promise.all(copies.map((copy, n) => fixture.target.put(copy, at(`a/b/c/${n}`), aWork(), never)))

    for (const path of ['/Archive', '/Archive/a', '/Archive/a/b', '/Archive/a/b/c'])
      expect(itemsAt(path).length).toBe(1)
  })

  test.each(['taken', 'refused'] as const)(
    'F55: of which the answer was lost is made once (ids made before are %s)',
    async (idsOfFolders) => {
      await begin({ rules: { idsOfFolders } })
      fixture.rig.emulator.fault({ route: 'files.create', fault: { do: 'cut', when: 'after' } })

      await failureOf(put('a/x'))
      await put('a/x')

      expect(itemsAt('/Archive/a').length).toBe(1)
      expect(paths()).toEqual(['/Archive/a/x'])
    },
  )

  test('is known after a restart although the index of names is behind', async () => {
    const mark = await begin({ rules: { nameLagMs: 300_000, pageEntriesMax: 1 } })
    await put('a/b/x')
    await put('c/y')
    const restarted = fixture.again()
    await restarted.open(mark, never)

    await put('a/b/z', 'z', restarted)
    await put('c/z', 'z', restarted)

    expect(['/Archive/a', '/Archive/a/b', '/Archive/c'].map((path) => itemsAt(path).length)).toEqual([1, 1, 1])
  })

  test('of which somebody made another one of its name stays the one that is used', async () => {
    await begin()
    await put('a/x')
    fixture.rig.emulator.provider.owner.makeTwin('/Archive/a')
    const restarted = fixture.again()
    await restarted.open(undefined, never)

    await put('a/y', 'y', restarted)

    const [first, twin] = itemsAt('/Archive/a')
    expect([first?.children.size, twin?.children.size]).toEqual([2, 0])
    expect((await all(restarted.list(at(''), { hash: false }, never))).map(({ path }) => path)).toEqual(['a/x', 'a/y'])
  })

  test('that is there twice before anything is known: the older counts', async () => {
    await begin()
    const { owner } = fixture.rig.emulator.provider
    owner.makeFolder('/Archive/a')
    fixture.rig.emulator.clock.advance(1000)
    owner.makeTwin('/Archive/a')

    await put('a/x')

    const [older, younger] = [...itemsAt('/Archive/a')].sort((one, other) => one.createdMs - other.createdMs)
    expect([older?.children.size, younger?.children.size]).toEqual([1, 0])
  })

  test.each(['succeeds', 'notFound'] as const)(
    'F79: that somebody put into the trash is made again (below it, making %s)',
    async (belowTrashed) => {
      await begin({ rules: { belowTrashed } })
      await put('a/b/x')
      fixture.rig.emulator.provider.owner.remove('/Archive/a')
      const work = aWork()
      const copy = await aCopy(source, 'y')

      const failure = await failureOf(fixture.target.put(copy, at('a/b/y'), work, never))
      await fixture.target.put(copy, at('a/b/y'), aWork({ session: work.saved.at(-1) }), never)

      expect(failure.next).toEqual({ kind: 'retry' })
      expect(paths()).toEqual(['/Archive/a/b/y'])
      const files = [...fixture.rig.emulator.provider.account.items.all()].filter(({ name }) => name === 'y')
      expect(files.length).toBe(1)
    },
  )

  test('F79: the root in the trash pauses the target, which is well again with it', async () => {
    const mark = await begin()
    await put('a/x')
    const [root] = itemsAt('/Archive')
    fixture.rig.emulator.provider.owner.remove('/Archive')
    const copy = await aCopy(source, 'y')

    const failure = await failureOf(fixture.target.put(copy, at('a/y'), aWork(), never))
    const opening = await failureOf(fixture.target.open(mark, never))
    if (root !== undefined) fixture.rig.emulator.provider.account.items.change(root, { trashed: false })
    const identity = await fixture.target.open(mark, never)

    for (const each of [failure, opening]) expect(each.next).toEqual({ kind: 'pause-target', state: 'missing' })
    expect(identity).toEqual({ mark, isSame: true })
  })

  test('that its owner made again in the place of the root is another place', async () => {
    const mark = await begin()
    fixture.rig.emulator.provider.owner.remove('/Archive')
    fixture.rig.emulator.provider.owner.makeFolder('/Archive')

    const identity = await fixture.target.open(mark, never)

    expect(identity.isSame).toBe(false)
  })
})

test('a login of another account is told, and touches nothing', async () => {
  await begin()

  const failure = await failureOf(fixture.target.open('another 1abc', never))

  expect(failure.next).toEqual({ kind: 'pause-target', state: 'missing' })
  expect(failure.message).toContain('owner@example.com')
})

describe('a folder too large for one page', () => {
  test('is searched by name, and what we made there is known before the index does', async () => {
    await begin({ rules: { nameLagMs: 300_000, pageEntriesMax: 2 } })
    for (const name of ['a', 'b', 'c', 'd']) await put(name)
    const copy = await aCopy(source, 'c')

    await fixture.target.put(copy, at('c'), aWork(), never)
    const seen = await fixture.target.look(at('c'), { hash: false }, never)

    expect(itemsAt('/Archive/c').length).toBe(1)
    expect(seen?.size).toBe(1)
  })

  test('does not take another case of a name for that name', async () => {
    await begin({ rules: { pageEntriesMax: 2 } })
    for (const name of ['a', 'b', 'c', 'README']) await put(name)

    await put('readme', 'small')

    expect((await fixture.held('README'))?.toString()).toBe('README')
    expect((await fixture.held('readme'))?.toString()).toBe('small')
  })
})

describe('listing', () => {
  test('costs a call for each folder and thousand, and shows of twins the oldest', async () => {
    await begin()
    for (let n = 0; n < 30; n++) await put(`d${n % 3}/f${n}`)
    const { items } = fixture.rig.emulator.provider.account
    const [older] = itemsAt('/Archive/d0/f0')
    fixture.rig.emulator.clock.advance(1000)
    items.change(items.add({ name: 'f0' }, items.find(older?.parent?.id ?? ''), { id: '1twin', isOurs: true }), {})
    items.write(items.find('1twin'), fixture.rig.emulator.provider.account.store.put('twin'), false)
    const before = fixture.calls().length

    const entries = await all(fixture.target.list(at(''), { hash: true }, never))

    expect(entries.length).toBe(30)
    expect(entries.find(({ path }) => path === 'd0/f0')?.remoteId).toBe(older?.id)
    expect(fixture.calls().slice(before)).toEqual(Array.from({ length: 4 }, () => 'files.list'))
  })

  test('leaves out what has no bytes, and names that cannot be names here', async () => {
    await begin()
    await put('x')
    const { account } = fixture.rig.emulator.provider
    const [root] = itemsAt('/Archive')
    if (root === undefined) throw new Error('no root')
    const add = (name: string, mimeType?: string): Item =>
      account.items.add({ name, mimeType }, root, { id: `1${name}`, isOurs: false })
    add('a document', 'application/vnd.google-apps.document')
    for (const name of ['a/b', '..']) account.items.write(add(name), account.store.put(name), false)

    const entries = await all(fixture.target.list(at(''), { hash: false }, never))

    expect(entries.map(({ path }) => path)).toEqual(['x'])
  })

  test('that says to be incomplete is no listing', async () => {
    await begin()
    fixture.rig.emulator.fault({ route: 'files.list', fault: { do: 'behave', name: 'incomplete-search' } })

    expect((await failureOf(all(fixture.target.list(at(''), { hash: false }, never)))).next).toEqual({ kind: 'retry' })
  })

  test('goes on over many pages', async () => {
    await begin({ rules: { pageEntriesMax: 7 } })
    for (let n = 0; n < 20; n++) await put(`f${n}`)

    expect((await all(fixture.target.list(at(''), { hash: false }, never))).length).toBe(20)
  })
})

test('names arrive as they are, all but bytes that are no UTF-8', async () => {
  await begin()
  const names = ["it's", 'back\\slash', 'tab\there', ' spaces. ', 'CON', 'e\u0301', 'é', 'README', 'readme']

  for (const name of names) await put(name)
  await put('caf\udce9.txt')

  expect([...paths()].sort()).toEqual([...names, 'caf‛E9.txt'].map((name) => `/Archive/${name}`).sort())
  const listed = await all(fixture.target.list(at(''), { hash: false }, never))
  expect(listed.map(({ path }) => path).sort()).toEqual([...names, 'caf\udce9.txt'].sort())
})

describe('a login that sees only what it made (drive.file)', () => {
  test('works below a folder of its own, and below the root itself', async () => {
    for (const root of ['Archive/deep', '']) {
      const mark = await begin({ scopes: [ownScope], root })
      await put('a/x', 'first')
      const restarted = fixture.again()
      await restarted.open(mark, never)
      const receipt = await restarted.put(await aCopy(source, 'second'), at('a/x'), aWork(), never)
      await restarted.move(receipt, at('y'), never)

      expect((await all(restarted.list(at(''), { hash: true }, never))).map(({ path }) => path)).toEqual(['y'])
      expect(paths()).toEqual([`/${root}/y`.replace('//', '/')])
    }
  })

  test('does not see a folder that its owner made, and makes one of its own beside it', async () => {
    fixture = await aDriveTarget({ scopes: [ownScope] })
    fixture.rig.emulator.provider.owner.makeFolder('/Archive')

    await fixture.target.open(undefined, never)
    await put('x')

    expect(itemsAt('/Archive').map(({ children }) => children.size)).toEqual([0, 1])
  })
})

test('a shared drive holds copies as My Drive does', async () => {
  const drive = '0AFanfoldSharedDrivePVA'
  const mark = await begin({ drive, root: 'Archive' })
  await put('a/x')
  await fixture.target.open(mark, never)
  await put('a/x', 'again')

  const [entry] = await all(fixture.target.list(at(''), { hash: true }, never))
  const receipt = await fixture.target.put(await aCopy(source, 'again'), at('a/x'), aWork(), never)
  await fixture.target.remove(receipt, 'trash', never)

  expect([entry?.path, entry?.size, paths()]).toEqual(['a/x', 5, []])
  expect(await fixture.target.look(at('a/x'), { hash: false }, never)).toBeUndefined()
  expect((await fixture.target.about(never)).freeBytes).toBeUndefined()
})

test('a shared drive that nobody sees is told by name', async () => {
  fixture = await aDriveTarget({ drive: '0AnotherPVA' })

  const failure = await failureOf(fixture.target.open(undefined, never))

  expect(failure.next).toEqual({ kind: 'pause-target', state: 'missing' })
  expect(failure.message).toContain('0AnotherPVA')
})

test('F80: what its owner renamed a moment ago is not found under its old name once somebody lists what is there', async () => {
  await begin()
  await put('a/x')
  await put('a/y')
  const look = (path: string): Promise<unknown> => fixture.target.look(at(path), { hash: false }, never)
  await look('a/x')

  fixture.rig.emulator.provider.owner.rename('/Archive/a/x', 'renamed')
  const listed = await all(fixture.target.list(at(''), { hash: false }, never))

  expect(listed.map(({ path }) => path)).toEqual(['a/renamed', 'a/y'])
  expect([await look('a/x'), await look('a/renamed')]).toEqual([
    undefined,
    expect.objectContaining({ path: 'a/renamed' }),
  ])
})
