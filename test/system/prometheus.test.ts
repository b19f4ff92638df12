/** What Prometheus itself says of our metrics and rules: promtool checks both. */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { aFolder } from '../builders.ts'
import { aLane, aStatus, smallDesk } from '../control/small-desk.ts'
import { anyPort, served } from '../page/rig.ts'

const run = promisify(execFile)
const rules = fileURLToPath(new URL('../../config/prometheus-rules.yaml', import.meta.url))

test('promtool takes the rules', async () => {
  const { stdout } = await run('promtool', ['check', 'rules', rules])

  expect(stdout).toMatch(/SUCCESS: 9 rules found/)
})

/** Grafana puts these in before it asks. */
function asAsked(question: string): string {
  return question.replaceAll('$__rate_interval', '5m').replaceAll('$__range', '1h').replaceAll(/\$\w+/g, '.*')
}

test('promtool understands every question of the dashboard', async () => {
  const dashboard = readFileSync(new URL('../../config/grafana-dashboard.json', import.meta.url), 'utf8')
  const questions = [...dashboard.matchAll(/"expr": ("(?:[^"\\]|\\.)*")/g)].map(
    ([, json]) => JSON.parse(json ?? '') as string,
  )
  const file = join(aFolder(), 'questions.yaml')
  const asRules = questions.map((question, n) => ({ record: `panel:${n}`, expr: asAsked(question) }))
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules: asRules }] }))

  const { stdout } = await run('promtool', ['check', 'rules', file])

  expect(questions.length).toBeGreaterThan(10)
  expect(stdout).toContain(`SUCCESS: ${questions.length} rules found`)
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
