/** The token that lets a page act: made once, kept in the state folder for its owner alone, compared in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { errnoOf } from '../base/errors.ts'
import { randomName } from '../base/random.ts'

/** Nobody guesses so many. Unit: bytes. */
const tokenBytes = 32

/** The token in `file`, or a new one put there. One that cannot be kept is good until the daemon ends. */
export function tokenIn(file: string, onUnkept: (reason: string) => void): string {
  const kept = keptIn(file)
  if (kept !== undefined) return kept
  const token = randomName(tokenBytes)
  try {
    const made = `${file}.${randomName(4)}`
    writeFileSync(made, `${token}\n`, { mode: 0o600, flag: 'wx' })
    renameSync(made, file)
  } catch (thrown) {
    onUnkept(errnoOf(thrown) ?? 'unknown reason')
  }
  return token
}

function keptIn(file: string): string | undefined {
  try {
    const text = readFileSync(file, 'utf8').trim()
    return /^[0-9a-f]{64}$/.test(text) ? text : undefined
  } catch {
    // None yet, or one that is out of reach: another takes its place.
    return undefined
  }
}

export function isToken(given: string | undefined, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}
