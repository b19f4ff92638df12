/** What a kind of target that moves folders at once promises of that, as tests: a part of its contract, which calls it. */
import { describe, expect, test } from 'vitest'
import { type RemotePath, remotePath } from '../../src/base/path.ts'
import type { FolderMoved, LocalCopy, Receipt, Target } from '../../src/target/target.ts'
import { aCopy, all, aWork, type Fixture, never, sha256Of } from './contract.ts'

export interface FolderBench {
  readonly fixture: () => Fixture
  readonly target: () => Target
  /** Folder of the copies' files. */
  readonly source: () => string
}

const at = (path: string): RemotePath => remotePath(path)

/** Below the folder that moves: twins in letters' case and in composition, names that some provider refuses, and those that look like tags. */
const hostile = [
  'plain.txt',
  'Sub/twin',
  'sub/TWIN',
  'sub/twin',
  'deep/er/still/x',
  'what? "*" <|> \\ : end. ',
  'cafe\u0301/caf\u00e9',
  'con',
  '~$lock',
  'a\u201bt',
  'tab\there/\u{1f4be}.bin',
]
/** Whatever the number of files: looks at both places and what lies above them, the move, and what has to be made. */
const callsMax = 12

interface Placed {
  readonly copy: LocalCopy
  readonly receipt: Receipt
  readonly content: string
}

export function folderContract({ fixture, target, source }: FolderBench): void {
  const move = async (from: string, to: string, by = target()): Promise<FolderMoved> => {
    return by.moveFolder(at(from), at(to), never)
  }
  const put = async (path: string, content = `content of ${path}`, previous?: Receipt): Promise<Placed> => {
    const copy = await aCopy(source(), content, { name: `f${sha256Of(path).slice(0, 12)}` })
    return { copy, content, receipt: await target().put(copy, at(path), aWork({ previous }), never) }
  }
  const paths = async (by = target()): Promise<string[]> =>
    (await all(by.list(at(''), { hash: false }, never))).map(({ path }) => path)
  const read = async (path: string): Promise<string | undefined> =>
    (await target().look(at(path), { hash: true }, never))?.sha256

  /** The object is the one of the receipt: as receipted, or known again by its content. */
  const expectKept = async ({ copy, receipt, content }: Placed, path: string, by = target()): Promise<void> => {
    const entry = await by.look(at(path), { hash: true }, never)
    if (entry === undefined) throw new Error(`nothing is at ${path}`)
    expect(entry).toMatchObject({ remoteId: receipt.remoteId, size: receipt.size, sha256: sha256Of(content) })
    const known = entry.revision === receipt.revision || (await by.recognise(entry, copy, undefined, never))
    expect(known, path).toBeTruthy()
  }

  describe('a folder', () => {
    test('F32: moves with all that is below it, and every copy stays the object that it was', async () => {
      const placed: [string, Placed][] = []
      for (const name of hostile) placed.push([name, await put(`old/${name}`)])
      await put('old kept')
      const before = await target().open(undefined, never)

      expect(await move('old', 'new/ho:me')).toBe('moved')

      for (const [name, one] of placed) await expectKept(one, `new/ho:me/${name}`)
      expect(await target().look(at('old/plain.txt'), { hash: false }, never)).toBeUndefined()
      const there = [...hostile.map((name) => `new/ho:me/${name}`), 'old kept'].sort((a, b) => (a < b ? -1 : 1))
      expect(await paths()).toEqual(there)
      // Nothing that is remembered over a restart leads to the old place.
      const restarted = fixture().again()
      await restarted.open(before.mark, never)
      for (const [name, one] of placed.slice(0, 3)) await expectKept(one, `new/ho:me/${name}`, restarted)
      expect(await restarted.look(at('old/Sub/twin'), { hash: false }, never)).toBeUndefined()
      await restarted.close()
    })

    test('F32: is absent once it moved, and refused where something is in its way', async () => {
      await put('a/x')
      await put('taken/y')
      await put('file')

      expect(await move('nothing', 'b')).toBe('absent')
      expect(await move('no/thing', 'b')).toBe('absent')
      expect(await move('file', 'b')).toBe('refused')
      expect(await move('a', 'taken')).toBe('refused')
      expect(await move('a', 'file')).toBe('refused')
      expect(await move('a', 'a/below')).toBe('refused')
      expect(await paths()).toEqual(['a/x', 'file', 'taken/y'])

      expect(await move('a', 'b')).toBe('moved')
      expect(await move('a', 'b')).toBe('absent')
      expect(await paths()).toEqual(['b/x', 'file', 'taken/y'])
    })

    test('F32: leaves its old place to a new folder, and its new one to whatever comes', async () => {
      const [x, y, z] = [await put('old/sub/x'), await put('old/y'), await put('old/sub/z')]

      await move('old', 'new')
      const fresh = await put('old/sub/x', 'another one')
      await put('new/sub/x', 'changed', { ...x.receipt, path: at('new/sub/x') })
      const added = await put('new/sub/added')
      const moved = await target().move({ ...y.receipt, path: at('new/y') }, at('new/sub/y'), never)
      await target().remove({ ...z.receipt, path: at('new/sub/z') }, 'trash', never)

      expect(fresh.receipt.remoteId).not.toBe(x.receipt.remoteId)
      expect(moved).toMatchObject({ remoteId: y.receipt.remoteId, sha256: y.receipt.sha256 })
      expect(await paths()).toEqual(['new/sub/added', 'new/sub/x', 'new/sub/y', 'old/sub/x'])
      expect(await read('new/sub/x')).toBe(sha256Of('changed'))
      expect(await read('old/sub/x')).toBe(sha256Of('another one'))

      // In a circle, too.
      expect(await move('new', 'aside')).toBe('moved')
      expect(await move('old', 'new')).toBe('moved')
      expect(await move('aside', 'old')).toBe('moved')
      await expectKept(fresh, 'new/sub/x')
      await expectKept(added, 'old/sub/added')
    })

    test('F32, F40: another case of its letters leaves its copies where they can be found', async () => {
      const x = await put('docs/x')

      const answer = await move('docs', 'Docs')

      await expectKept(x, answer === 'moved' ? 'Docs/x' : 'docs/x')
      if (answer === 'moved') expect(await fixture().names()).toEqual(['Docs'])
    })

    test('F32: moves in as many calls as an empty one does', async () => {
      const { calls } = fixture()
      const costs: number[] = []
      for (const count of [1, 40]) {
        for (let n = 0; n < count; n++) await put(`${count}/sub${n % 4}/${n}`)
        await put('there/already')
        const before = calls?.().length ?? 0
        expect(await move(String(count), `there/${count}`)).toBe('moved')
        costs.push((calls?.().length ?? 0) - before)
      }

      expect(costs[1]).toBe(costs[0])
      expect(costs[0]).toBeLessThanOrEqual(callsMax)
    })
  })
}
