/** The unit files as systemd's own judges see them, without a running systemd. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const unit = fileURLToPath(new URL('../../systemd/fanfold.service', import.meta.url))

test('F105: the exposure of the unit is at most 1.5', () => {
  execFileSync('systemd-analyze', ['security', '--offline=true', '--threshold=15', unit], { stdio: 'pipe' })
})

test('systemd finds no fault in the unit', () => {
  expect(execFileSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' })).toBe('')
})

test('F105: no write-xor-execute rule, without which Node compiles nothing', () => {
  expect(readFileSync(unit, 'utf8')).not.toMatch(/^MemoryDenyWriteExecute=/m)
})
