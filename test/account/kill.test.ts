/** F76: `kill -9` at every step of a rotation, in a process of its own: logged in afterwards, wherever the provider's protocol lets us. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { aLoginRig, type LoginRig, signal } from './login-rig.ts'

const built = fileURLToPath(new URL('../../dist', import.meta.url))
const script = join(import.meta.dirname, 'killing.mjs')
/** More deeds than a renewal has. */
const deedsMax = 60

/** @returns how it ended, and how many deeds it did */
async function renewal(rig: LoginRig, deed?: number): Promise<{ readonly isKilled: boolean; readonly deeds: number }> {
  const { config, folder, emulator } = rig
  const options = JSON.stringify({ config, folder, endpoint: emulator.url })
  const child = spawn(process.execPath, [script, built, options], {
    env: { ...process.env, ...(deed === undefined ? {} : { FANFOLD_DEED: String(deed) }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [out, err] = ['', '']
  child.stdout.on('data', (text: Buffer) => (out += text.toString()))
  child.stderr.on('data', (text: Buffer) => (err += text.toString()))
  await once(child, 'close')
  if (child.signalCode !== 'SIGKILL' && child.exitCode !== 0) throw new Error(err)
  return { isKilled: child.signalCode === 'SIGKILL', deeds: Number(out) }
}

describe.each(['box', 'onedrive', 'dropbox'] as const)('%s', (kind) => {
  test('killed at each deed with the file, the login is good, or lost exactly where its protocol makes that unavoidable', async () => {
    const outcomes: string[] = []
    for (let deed = 1; deed <= deedsMax; deed++) {
      const rig = await aLoginRig(kind)
      rig.keep({ refreshToken: rig.emulator.auth.login().refreshToken })
      const { isKilled } = await renewal(rig, deed)
      if (!isKilled) break
      const hasAsked = rig.emulator.recorder.count('token') > 0
      const isKept = rig.kept()['accessToken'] !== undefined
      const outcome = await rig
        .another()
        .renew(signal)
        .then(
          () => 'logged in',
          (error: unknown) => String(error),
        )
      outcomes.push(`${hasAsked ? (isKept ? 'kept' : 'rotated, not kept') : 'not asked'}: ${outcome}`)
      await rig.emulator.stop()
    }

    const seen = [...new Set(outcomes)]
    const lost = seen.filter((outcome) => !outcome.endsWith('logged in'))
    expect(outcomes.length).toBeGreaterThan(5)
    expect(seen).toEqual(
      expect.arrayContaining(['not asked: logged in', 'kept: logged in'].slice(kind === 'box' ? 0 : 1)),
    )
    expect(lost).toEqual(
      kind === 'box'
        ? [
            expect.stringMatching(
              /^rotated, not kept: .*ended just while Box replaced the login.*run "fanfold login main"$/,
            ),
          ]
        : [],
    )
  }, 120_000)

  test('killed while the cloud answers, the login is good, or lost exactly where its protocol makes that unavoidable', async () => {
    const rig = await aLoginRig(kind)
    rig.keep({ refreshToken: rig.emulator.auth.login().refreshToken })
    const outcome = async (when: 'before' | 'after'): Promise<string> => {
      rig.emulator.fault({ route: 'token', fault: { do: 'delay', when, ms: 60_000 } })
      const { config, folder, emulator } = rig
      const options = JSON.stringify({ config, folder, endpoint: emulator.url })
      const asked = emulator.recorder.count('token') + 1
      const child = spawn(process.execPath, [script, built, options], { stdio: 'ignore' })
      await emulator.recorder.until((recorder) => recorder.count('token') >= asked, AbortSignal.timeout(10_000))
      await new Promise((resolve) => setTimeout(resolve, 100))
      child.kill('SIGKILL')
      await once(child, 'close')
      const renewed = rig.another().renew(signal)
      return renewed.then(
        () => 'logged in',
        (error: unknown) => String(error),
      )
    }

    expect(await outcome('before')).toBe('logged in')
    expect(await outcome('after')).toMatch(kind === 'box' ? /ended just while Box replaced the login/ : /^logged in$/)
  }, 60_000)
})
