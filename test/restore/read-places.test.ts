/** Places of copies, read back to what they were made of. */
import { expect, test } from 'vitest'
import { remotePath, sourcePath } from '../../src/base/path.ts'
import { systemClock } from '../../src/base/clock.ts'
import { parseConfig } from '../../src/config/config.ts'
import { laneOrder } from '../../src/pipeline/pipeline.ts'
import { placeReader } from '../../src/restore/read-places.ts'

const mtimeNs = BigInt(Date.UTC(2024, 1, 29)) * 1_000_000n

function reader(at: string, onlySource?: string): (place: string) => unknown {
  const text = `state: ./s\nsources: [{ name: papers, path: ./p }]\ntargets: [{ name: nas, kind: directory, path: ./n, at: '${at}' }]\n`
  const [target] = parseConfig('/x/fanfold.yaml', text).targets
  if (target === undefined) throw new Error('no target')
  const { placeAt } = laneOrder(target, { clock: systemClock, host: 'here' })
  const read = placeReader({ template: at, onlySource, placeAt })
  return (place) => read(remotePath(place), mtimeNs)
}

test.each([
  ['{source}/{path}', 'papers/a/b.pdf', 'papers', 'a/b.pdf'],
  ['backup/{source}/{path}', 'backup/papers/new\nline', 'papers', 'new\nline'],
  ['{host}/{source}/{yyyy}/{path}', 'here/papers/2024/a', 'papers', 'a'],
  ['{source}/{source}/{path}', 'papers/papers/papers', 'papers', 'papers'],
  ['{source}.d/{path}', 'papers.d/caf\udce9', 'papers', 'caf\udce9'],
])('%s: %s', (at, place, source, path) => {
  expect(reader(at)(place)).toEqual({ source, path: sourcePath(path) })
})

test.each([
  ['{source}/{path}', 'papers'],
  ['{source}/{path}', 'Of Somebody/x'],
  ['{host}/{source}/{path}', 'there/papers/x'],
  ['{yyyy}/{source}/{path}', '2023/papers/x'],
  ['{path}', 'x'],
])('%s: nothing of ours has the place %s', (at, place) => {
  expect(reader(at)(place)).toBeUndefined()
})

test('where only one source goes, its name need not stand there', () => {
  expect(reader('{path}', 'papers')('a/b')).toEqual({ source: 'papers', path: 'a/b' })
})
