/** A folder that moves at a cloud while something is against it: calls that fail, somebody in its way, looks that come between. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type RemotePath, remotePath } from '../../src/base/path.ts'
import { type FolderMoved, type Receipt, TargetError } from '../../src/target/target.ts'
import type { Armed, FaultScript } from '../emulator/core/faults.ts'
import { aBoxTarget } from './box-fixture.ts'
import { aCopy, all, aWork, type Fixture, never, sha256Of } from './contract.ts'
import { aDropboxTarget } from './dropbox-fixture.ts'
import { aDriveTarget } from './google-drive-fixture.ts'
import { aOneDriveTarget } from './onedrive-fixture.ts'

interface Cloud extends Fixture {
  readonly rig: { readonly emulator: { fault(script: FaultScript): Armed } }
  readonly calls: () => readonly string[]
}

const at = (path: string): RemotePath => remotePath(path)

let source: string
let cloud: Cloud

beforeEach(async () => {
  source = await mkdtemp(join(tmpdir(), 'fanfold-source-'))
})

afterEach(async () => {
  await cloud.target.close()
  await rm(source, { recursive: true })
})

async function begin(made: Promise<Cloud>): Promise<void> {
  cloud = await made
  await cloud.target.open(undefined, never)
}

async function put(path: string, content = path, previous?: Receipt): Promise<Receipt> {
  const copy = await aCopy(source, content)
  return cloud.target.put(copy, at(path), aWork({ previous }), never)
}

async function move(from: string, to: string): Promise<FolderMoved> {
  return cloud.target.moveFolder(at(from), at(to), never)
}

/** As a lane: again and again until there is an answer. */
async function moveUntilDone(from: string, to: string): Promise<FolderMoved> {
  for (let attempts = 1; attempts <= 4; attempts++) {
    try {
      return await move(from, to)
    } catch (thrown) {
      if (!(thrown instanceof TargetError)) throw thrown
      expect(thrown.next.kind).toMatch(/^(retry|pause-target)$/)
    }
  }
  throw new Error('no answer after four attempts')
}

const paths = async (): Promise<string[]> =>
  (await all(cloud.target.list(at(''), { hash: false }, never))).map(({ path }) => path)

/** Whether it took effect is seen by what comes of it. */
const faults: [title: string, fault: FaultScript['fault']][] = [
  ['cut before it did anything', { do: 'cut', when: 'before' }],
  ['cut after it did its work', { do: 'cut', when: 'after' }],
  ['answered 500 after it did its work', { do: 'answer', when: 'after', status: 500 }],
  ['answered with garbage after it did its work', { do: 'answer', when: 'after', status: 200, body: '{"a":' }],
  ['asked for rest', { do: 'refuse', name: 'throttle', retryAfterS: 0 }],
  ['without a login', { do: 'expire-token' }],
]

const clouds: [name: string, make: () => Promise<Cloud>, route: string][] = [
  ['dropbox', () => aDropboxTarget(), 'files/move_v2'],
  ['google-drive', () => aDriveTarget(), 'files.update'],
  ['box', () => aBoxTarget(), 'folders/update'],
  ['onedrive', () => aOneDriveTarget(), 'update'],
]

describe.each(clouds)('at %s a folder that moves', (_name, make, route) => {
  beforeEach(() => begin(make()))

  test('F32: ends at one place, whatever becomes of its call', async () => {
    for (const [n, [title, fault]] of faults.entries()) {
      const [old, fresh] = [`old${n}`, `new${n}/er`]
      const before = await put(`${old}/sub/x`)
      const armed = cloud.rig.emulator.fault({ route, fault })

      const answer = await moveUntilDone(old, fresh)

      expect(armed.struck, title).toBe(1)
      // What nobody was told of is there all the same.
      expect(answer, title).toMatch(/^(moved|absent)$/)
      const there = await cloud.target.look(at(`${fresh}/sub/x`), { hash: false }, never)
      expect([there?.remoteId, there?.revision], title).toEqual([before.remoteId, before.revision])
      await put(`${old}/sub/y`)
      await put(`${fresh}/sub/z`)
      const own = (await paths()).filter((path) => path.startsWith(old) || path.startsWith(fresh))
      expect(own, title).toEqual([`${fresh}/sub/x`, `${fresh}/sub/z`, `${old}/sub/y`])
    }
  })

  test('F32: is known to be away by whoever goes on after a kill behind its call', async () => {
    const { mark } = await cloud.target.open(undefined, never)
    await put('old/sub/x')
    cloud.rig.emulator.fault({ route, fault: { do: 'cut', when: 'after' } })
    await expect(move('old', 'new')).rejects.toThrow(TargetError)
    await cloud.target.close()

    cloud = { ...cloud, target: cloud.again() }
    await cloud.target.open(mark, never)
    await put('old/sub/y')
    await put('new/sub/z')

    expect(await move('nothing', 'new')).toBe('absent')
    expect(await paths()).toEqual(['new/sub/x', 'new/sub/z', 'old/sub/y'])
  })

  test('F32: is not brought back by who looks while it is on its way', async () => {
    const x = await put('old/sub/x')
    const look = async (): Promise<void> => {
      for (const path of ['old/sub/x', 'new/sub/x']) await cloud.target.look(at(path), { hash: false }, never)
    }
    const ahead = cloud.rig.emulator.fault({ route, fault: { do: 'call', when: 'before', work: look } })
    const behind = cloud.rig.emulator.fault({ route, fault: { do: 'call', when: 'after', work: look } })

    expect(await move('old', 'new')).toBe('moved')
    await put('old/sub/y')
    const changed = await put('new/sub/x', 'changed', { ...x, path: at('new/sub/x') })

    expect([ahead.struck, behind.struck]).toEqual([1, 1])
    expect(changed.remoteId).toBe(x.remoteId)
    expect(await paths()).toEqual(['new/sub/x', 'old/sub/y'])
  })

  test('F32: is refused, and stays, when somebody takes its new name in that moment, or has a file above it', async () => {
    await put('old/x')
    await put('file')
    const theirs = (): Promise<void> => cloud.alter('new/theirs', 'theirs')
    cloud.rig.emulator.fault({ route, fault: { do: 'call', when: 'before', work: theirs } })
    // There names may be there twice.
    const areNamesUnique = route !== 'files.update'

    expect(await move('old', 'new')).toBe(areNamesUnique ? 'refused' : 'moved')
    if (!areNamesUnique) return
    expect(await move('old', 'file/below')).toBe('refused')
    expect(await paths()).toEqual(['file', 'new/theirs', 'old/x'])
    await put('old/y')
    expect(await paths()).toEqual(['file', 'new/theirs', 'old/x', 'old/y'])
  })
})

describe('at Dropbox a folder', () => {
  test.each([true, false])(
    'F32: keeps its copies’ revisions, whether revs change by the move (%s) or not',
    async (movesRevise) => {
      await begin(aDropboxTarget({ rules: { movesRevise } }))
      const [x, y] = [await put('old/x', 'first'), await put('old/y')]

      expect(await move('old', 'new')).toBe('moved')
      const entry = await cloud.target.look(at('new/x'), { hash: false }, never)
      expect(entry?.revision).toBe(x.revision)
      const before = cloud.calls().length
      // The first one that is sent over it looks for its rev, the next knows it.
      const second = await put('new/x', 'second', { ...x, path: at('new/x') })
      const third = await put('new/x', 'third', second)
      await cloud.target.remove({ ...y, path: at('new/y') }, 'purge', never)

      const uploads = cloud
        .calls()
        .slice(before)
        .filter((route) => route === 'files/upload')
      expect(uploads.length).toBe(2)
      expect([second.remoteId, third.remoteId]).toEqual([x.remoteId, x.remoteId])
      expect(await paths()).toEqual(['new/x'])
    },
  )

  test('F40: between two spellings that was cut short half way is there for the next one', async () => {
    await begin(aDropboxTarget())
    const x = await put('docs/x')
    cloud.rig.emulator.fault({ route: 'files/move_v2', nth: 2, fault: { do: 'cut' } })

    await expect(move('docs', 'Docs')).rejects.toThrow(TargetError)
    const between = await paths()

    expect(await move('docs', 'Docs')).toBe('moved')
    expect(await move('docs', 'Docs')).toBe('absent')
    expect([between, await paths()]).toEqual([[], ['Docs/x']])
    expect((await cloud.target.look(at('Docs/x'), { hash: false }, never))?.remoteId).toBe(x.remoteId)
    expect(await cloud.names()).toEqual(['Docs'])
  })

  test('F32: with too many files for one call stays where it is', async () => {
    await begin(aDropboxTarget({ rules: { filesPerCallMax: 2 } }))
    for (const name of ['a', 'b', 'c']) await put(`old/${name}`)

    expect(await move('old', 'new')).toBe('refused')
    expect(await paths()).toEqual(['old/a', 'old/b', 'old/c'])
  })
})

test('F32: at Google Drive it stays where who may bring files in may not move folders', async () => {
  await begin(aDriveTarget())
  await put('old/x')
  cloud.rig.emulator.fault({ route: 'files.update', fault: { do: 'refuse', name: 'forbidden' } })

  expect(await move('old', 'new')).toBe('refused')
  expect(await move('old', 'new')).toBe('moved')
})

test('F32: at Google Drive a copy of which it is not known whether it came is not brought back to the old place by another one', async () => {
  await begin(aDriveTarget())
  await put('old/y')
  cloud.rig.emulator.fault({ route: 'upload.create', fault: { do: 'cut', when: 'after' } })
  await expect(put('old/x', 'first')).rejects.toThrow()

  expect(await move('old', 'new')).toBe('moved')
  await put('old/x', 'another file')

  expect(await paths()).toEqual(['new/x', 'new/y', 'old/x'])
  expect((await cloud.target.look(at('new/x'), { hash: true }, never))?.sha256).toBe(sha256Of('first'))
})

test('F32, F52: at OneDrive it stays where names of files may have been cut for the length of its path', async () => {
  await begin(aOneDriveTarget())
  const deep = `${'d'.repeat(120)}/${'e'.repeat(120)}`
  await put(`${deep}/${'f'.repeat(200)}`)

  expect(await move(deep, 'short')).toBe('refused')
  expect(await move(deep, `${'d'.repeat(120)}/${'g'.repeat(120)}`)).toBe('moved')
  expect(await move('d'.repeat(120), 'h')).toBe('moved')
})
