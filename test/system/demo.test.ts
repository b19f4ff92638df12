/** The demo is as good as its word, and leaves nothing behind. */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const leftovers = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('fanfold-demo-'))

test('npm run demo keeps all it promises, within a minute', async () => {
  const before = leftovers()
  const startMs = performance.now()
  const child = spawn('npm', ['run', '--silent', 'demo'], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const code = new Promise((resolve) => child.once('close', resolve))
  const told = await text(child.stdout)

  expect(await code, told).toBe(0)
  expect(told).toContain('All as promised.')
  expect(told).not.toContain('BROKEN')
  expect(performance.now() - startMs).toBeLessThan(60_000)
  expect(leftovers()).toEqual(before)
}, 120_000)
