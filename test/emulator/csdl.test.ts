/** The checker of Graph's JSON: what passes, what does not, and how a fault is told. */
import { expect, test } from 'vitest'
import { Csdl } from './spec/csdl.ts'

const csdl = new Csdl()
const item = {
  id: 'x',
  name: 'a',
  size: 1,
  file: { hashes: { quickXorHash: 'AAA=' } },
  '@microsoft.graph.downloadUrl': 'https://x',
}

test('an item, a page of them and both answers of a fragment pass', () => {
  csdl.checkAnswer('item', item)
  csdl.checkAnswer('children', { value: [item, item], '@odata.nextLink': 'https://x' })
  csdl.checkAnswer('fragment', item)
  csdl.checkAnswer('fragment', { expirationDateTime: '2026-01-02T03:04:05.678Z', nextExpectedRanges: ['0-'] })
  csdl.checkAnswer('drive', { driveType: 'personal', owner: { user: { email: 'open' } }, quota: { total: 1 } })
})

test.each([
  ['an unknown field', 'item', { ...item, colour: 'red' }, /unknown field 'colour' of driveItem/],
  ['a field of a facet', 'item', { file: { hash: 'x' } }, /driveItem\.file: unknown field 'hash'/],
  ['another type', 'item', { size: '1' }, /driveItem\.size: expected Edm\.Int64, got "1"/],
  ['a time', 'item', { createdDateTime: '2026-01-02' }, /expected Edm\.DateTimeOffset/],
  ['a null that may not be', 'item', { id: null }, /driveItem\.id: expected Edm\.String/],
  ['a list', 'session', { nextExpectedRanges: '0-' }, /nextExpectedRanges: expected a list/],
  ['an item of a list', 'session', { nextExpectedRanges: [0] }, /nextExpectedRanges\[0\]: expected Edm\.String/],
  ['a page', 'children', { entries: [] }, /expected a list in 'value'/],
  ['nothing', 'item', null, /expected an object, got null/],
])('%s that is wrong is named with its place', (_what, route, value, message) => {
  expect(() => csdl.checkAnswer(route, value)).toThrow(message)
})
