/** The checker of Dropbox's JSON: what passes, what does not, and how a fault is told. */
import { describe, expect, test } from 'vitest'
import { Stone } from './spec/stone.ts'

const stone = new Stone()
const upload = '/2/files/upload'

describe('arguments', () => {
  test('get their defaults, and unions their tag', () => {
    expect(stone.argument(upload, { path: '/a', mode: 'overwrite' })).toEqual({
      path: '/a',
      mode: { '.tag': 'overwrite' },
      autorename: false,
      mute: false,
      strict_conflict: false,
    })
    expect(stone.argument(upload, { path: '/a' })).toMatchObject({ mode: { '.tag': 'add' } })
  })

  test.each([
    ['an unknown field', { path: '/a', pathh: 1 }, /unknown field 'pathh'/],
    ['a missing field', {}, /missing required field 'path'/],
    ['another type', { path: 7 }, /path: expected string, got 7/],
    ['a pattern', { path: 'a' }, /path: 'a' did not match pattern/],
    ['a tag', { path: '/a', mode: 'append' }, /mode: '\.tag' append is not in files\.WriteMode/],
    ['a payload', { path: '/a', mode: { '.tag': 'update', update: 'xyz' } }, /mode: update: expected 9/],
    ['a time', { path: '/a', client_modified: '2026-01-01' }, /client_modified: expected a time/],
    ['a hash', { path: '/a', content_hash: 'abc' }, /content_hash: expected 64/],
    ['nothing', null, /expected object, got null/],
  ])('%s that is wrong is named with its place', (_what, arg, message) => {
    expect(() => stone.argument(upload, arg)).toThrow(message)
  })

  test('numbers and lists keep their limits', () => {
    const cursor = { session_id: 'x', offset: -1 }
    expect(() => stone.argument('/2/files/upload_session/append_v2', { cursor })).toThrow(/offset: expected UInt64/)
    expect(() => stone.argument('/2/files/list_folder', { path: '', limit: 2001 })).toThrow(/limit/)
    const entries = Array.from({ length: 1001 }, () => ({ path: '/a' }))
    expect(() => stone.argument('/2/files/delete_batch', { entries })).toThrow(/expected 0 to 1000 items, got 1001/)
  })

  test('a path of many newlines is judged at once', () => {
    const startMs = performance.now()

    stone.argument('/2/files/get_metadata', { path: `/${'\n'.repeat(10_000)}` })

    expect(performance.now() - startMs).toBeLessThan(500)
  })
})

const folder = { name: 'd', path_lower: '/d', path_display: '/d', id: 'id:x' }

describe('answers', () => {
  test('a tag stands where subtypes are told apart, and only there', () => {
    stone.checkResult('/2/files/get_metadata', { '.tag': 'folder', ...folder })
    stone.checkResult('/2/files/create_folder_v2', { metadata: folder })

    expect(() => stone.checkResult('/2/files/get_metadata', folder)).toThrow(/'\.tag' undefined/)
    const tagged = { metadata: { '.tag': 'folder', ...folder } }
    expect(() => stone.checkResult('/2/files/create_folder_v2', tagged)).toThrow(/unknown field '\.tag'/)
  })

  test('a struct stands beside its tag, a union below it', () => {
    const route = '/2/files/upload_session/append_v2'
    stone.checkError(route, { '.tag': 'incorrect_offset', correct_offset: 1 })
    expect(() =>
      stone.checkError(route, { '.tag': 'incorrect_offset', incorrect_offset: { correct_offset: 1 } }),
    ).toThrow()

    stone.checkError('/2/files/get_metadata', { '.tag': 'path', path: { '.tag': 'not_found' } })
    expect(() => stone.checkError('/2/files/get_metadata', { '.tag': 'path', reason: {} })).toThrow()
  })

  test('a bare string is no union in an answer', () => {
    expect(() => stone.checkError('/2/files/get_metadata', { '.tag': 'path', path: 'not_found' })).toThrow(
      /expected object/,
    )
  })

  test('an open union knows other, a closed one does not', () => {
    stone.check('files.LookupError', { '.tag': 'other' })
    expect(() => stone.check('files.WriteMode', { '.tag': 'other' })).toThrow()
  })

  test('nothing is nothing', () => {
    stone.checkResult('/2/files/upload_session/append_v2', null)
    expect(() => stone.checkResult('/2/files/upload_session/append_v2', {})).toThrow(/expected null/)
  })
})
