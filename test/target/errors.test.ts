/** Which failure of a directory means what for the lane: the table, row by row. */
import { expect, test } from 'vitest'
import { directoryError, ruleOf, rules } from '../../src/target/directory/errors.ts'

const missing = 'pause-target missing'
const full = 'pause-target full'
const readOnly = 'pause-target read-only'

/** Written down a second time on purpose: a row that changes must be changed in two places. */
const expected: Readonly<Record<string, string>> = {
  'root:ENOENT': missing,
  'root:ENOTDIR': missing,
  'root:ELOOP': missing,
  'root:another-place': missing,
  '*:ENODEV': missing,
  '*:ENXIO': missing,
  '*:ESTALE': missing,
  '*:ENOTCONN': missing,
  '*:EHOSTDOWN': missing,
  '*:ENOSPC': full,
  '*:EDQUOT': full,
  '*:EROFS': readOnly,
  'root:EACCES': readOnly,
  'root:EPERM': readOnly,
  'root:in-the-way': 'pause-target paused',
  'root:link-in-path': 'pause-target paused',
  'object:EACCES': 'park',
  'object:EPERM': 'park',
  'object:in-the-way': 'park',
  'object:EISDIR': 'park',
  'object:ENOTDIR': 'park',
  'object:ENOTEMPTY': 'park',
  'object:link-in-path': 'park',
  'object:reserved': 'park',
  'object:gone': 'park',
  'object:edited': 'park',
  'object:changed': 'retry',
  'object:unproven': 'retry',
  'object:ENOENT': 'retry',
  '*:EFBIG': 'park',
  'object:ENAMETOOLONG': 'park',
  'object:EINVAL': 'park',
  'object:EILSEQ': 'park',
  'object:EXDEV': 'park',
  '*:EIO': 'retry',
  '*:EMFILE': 'retry',
  '*:ENFILE': 'retry',
  '*:ENOMEM': 'retry',
  'source:changed': 'source-changed',
  'source:ENOENT': 'source-changed',
  'source:ENOTDIR': 'source-changed',
  'source:ELOOP': 'source-changed',
  'source:unproven': 'source-changed',
  'source:EACCES': 'park',
  'source:EPERM': 'park',
}

test.each(Object.entries(expected))('%s -> %s', (code, next) => {
  const error = directoryError(code.replace('*', 'object'), 'what was found', { name: 'nas', root: '/mnt/nas' })

  const state = error.next.kind === 'pause-target' ? ` ${error.next.state}` : ''
  expect(error.next.kind + state).toBe(next)
  expect(error.message).toMatch(/^nas: what was found; ./)
  expect(error.message).not.toContain('{root}')
})

test('no row is without its line above', () => {
  expect([...rules.keys()].sort()).toEqual(Object.keys(expected).sort())
})

test('what nobody foresaw is tried again', () => {
  expect(ruleOf('object:EWHATEVER').next).toEqual({ kind: 'retry' })
  expect(ruleOf('unknown').next).toEqual({ kind: 'retry' })
})
