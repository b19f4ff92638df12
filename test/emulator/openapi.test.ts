/** The checker of OpenAPI answers: what passes, what does not, and how a fault is told. */
import { describe, expect, test } from 'vitest'
import { OpenApi } from './spec/openapi.ts'

const box = new OpenApi(new URL('spec/box.openapi.json', import.meta.url), ['code'])

test.each([
  ['GET', '/folders/{folder_id}/items', 200, { entries: [{ type: 'file', id: '1' }], next_marker: null }],
  ['POST', '/files/content', 201, { total_count: 1, entries: [{ type: 'file', id: '1', shared_link: null }] }],
  ['DELETE', '/files/{file_id}', 204, undefined],
  ['GET', '/files/{file_id}', 404, { type: 'error', status: 404, code: 'trashed' }],
  ['GET', '/events', 200, { next_stream_position: '7', entries: [] }],
])('%s %s may be answered with %i', (method, path, status, value) => {
  expect(() => box.checkAnswer(method, path, status, value)).not.toThrow()
})

describe('what is wrong is named with its place', () => {
  test.each([
    ['a call', 'GET', '/nothing', 200, {}, /no such call/],
    ['a body', 'DELETE', '/files/{file_id}', 204, {}, /expected an empty body/],
    ['no body', 'GET', '/files/{file_id}', 200, undefined, /expected an object, got nothing/],
    ['a missing field', 'GET', '/files/{file_id}', 200, { type: 'file' }, /id is missing/],
    ['a type', 'GET', '/files/{file_id}', 200, { type: 'file', id: 7 }, /id: expected a string, got 7/],
    ['a null', 'GET', '/files/{file_id}', 200, { type: 'file', id: null }, /id: expected something, got null/],
    ['a word', 'GET', '/files/{file_id}', 200, { type: 'folder', id: '1' }, /type: expected one of file/],
    ['a time', 'GET', '/files/{file_id}', 200, { type: 'file', id: '1', created_at: 'now' }, /expected a time/],
    ['a hash', 'GET', '/files/{file_id}', 200, { type: 'file', id: '1', sha1: 'F0' }, /expected a SHA-1/],
    ['a number', 'GET', '/files/{file_id}', 200, { type: 'file', id: '1', size: 1.5 }, /size: expected an integer/],
    ['an item', 'GET', '/folders/{folder_id}/items', 200, { entries: [{ type: 'hub', id: '1' }] }, /\[0\]: fits none/],
    ['a list', 'GET', '/folders/{folder_id}/items', 200, { entries: {} }, /entries: expected an array/],
  ])('%s', (_what, method, path, status, value, message) => {
    expect(() => box.checkAnswer(method, path, status, value)).toThrow(message)
  })
})
