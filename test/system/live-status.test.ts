import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { aBench, program, startDaemon } from '../e2e/rig.ts'
import { aTerminal } from './terminal.ts'

test('status --watch shows a slow lane filling up on a real terminal, and Ctrl-C leaves the terminal usable', async () => {
  const bench = aBench({ fast: '', slow: 'pace: { concurrency: 1, uploads: 2/s }' })
  const daemon = await startDaemon(bench)
  for (let n = 0; n < 20; n++) writeFileSync(join(bench.inbox, `f${n}`), Buffer.alloc(1000, n))
  const terminal = await aTerminal(`${process.execPath} ${program} status --watch --config ${bench.config}`)

  const early = await terminal.until(/fast +running .*100% +20\/20/, 20_000)
  await terminal.until(/slow +running .*100% +20\/20/, 30_000)
  await terminal.press('C-c')
  await new Promise((resolve) => setTimeout(resolve, 500))
  await terminal.press('echo usable | tr a-z A-Z\n')
  const after = await terminal.until(/USABLE/, 10_000)
  await daemon.end('SIGTERM')

  expect(early).toMatch(/slow +running .*\d+\/20/)
  expect(after).toContain('USABLE')
}, 90_000)
