/** What Prometheus itself says of our metrics and rules: promtool checks both. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { aLane, aStatus, smallDesk } from '../control/small-desk.ts'
import { anyPort, served } from '../page/rig.ts'

const run = promisify(execFile)
const rules = fileURLToPath(new URL('../../config/prometheus-rules.yaml', import.meta.url))

test('promtool takes the rules', async () => {
  const { stdout } = await run('promtool', ['check', 'rules', rules])

  expect(stdout).toMatch(/SUCCESS: 9 rules found/)
})

test('promtool finds nothing to say against the metrics', async () => {
  const space = { usedBytes: 7, freeBytes: 9 }
  const { ask, page } = await served(anyPort, smallDesk(aStatus({ targets: [aLane({ space })] })))
  page.attempted({ target: 'nas', outcome: 'delivered', durationMs: 30, latencyMs: 4_000 })
  const { text } = await ask('/metrics')

  const checking = run('promtool', ['check', 'metrics'])
  checking.child.stdin?.end(text)
  const { stdout, stderr } = await checking

  expect(stdout + stderr).toBe('')
})
