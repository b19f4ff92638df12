/** Which fault of a file that is sent means what for the lane: the table, row by row. */
import { expect, test } from 'vitest'
import { sourceFault, sourceFaults } from '../../src/target/source-faults.ts'

const expectedFaults: Readonly<Record<string, string>> = {
  changed: 'source-changed',
  unproven: 'source-changed',
  ENOENT: 'source-changed',
  ENOTDIR: 'source-changed',
  ELOOP: 'source-changed',
  ENXIO: 'source-changed',
  EACCES: 'park',
  EPERM: 'park',
}

test.each(Object.entries(expectedFaults))('a file that cannot be sent: %s -> %s', (word, next) => {
  expect(sourceFault('cloud: upload of a', word).next.kind).toBe(next)
  expect(sourceFault('cloud: upload of a', 'EIO').next.kind).toBe('retry')
  expect([...sourceFaults.keys()].sort()).toEqual(Object.keys(expectedFaults).sort())
})
