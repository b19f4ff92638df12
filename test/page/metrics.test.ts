/** The metrics: what they say, and that whoever draws or alerts on them asks for nothing that is not there. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { aLane, aStatus, smallDesk } from '../control/small-desk.ts'
import { anyPort, served } from './rig.ts'

const config = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../config/${name}`, import.meta.url)), 'utf8')

const account = { name: 'main', kind: 'dropbox', state: 'ends-soon', user: 'anna', reason: null }
const busy = aStatus({
  healthy: false,
  causes: ['target nas parked'],
  reasons: ['target nas has 2 parked'],
  targets: [aLane({ waiting: 3, parked: 2, oldestMs: 90_000, bytesSent: 5000, space: { usedBytes: 7, freeBytes: 9 } })],
  accounts: [{ ...account, endsAt: '2027-01-01T00:00:00.000Z' }],
})

test('they say what the status says', async () => {
  const { ask, page } = await served(anyPort, smallDesk(busy))
  page.attempted({ target: 'nas', outcome: 'delivered', durationMs: 30, latencyMs: 4_000 })
  page.attempted({ target: 'nas', outcome: 'parked', durationMs: 3_000, latencyMs: undefined })

  const { text, headers } = await ask('/metrics')

  expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  for (const line of [
    'fanfold_healthy 0',
    'fanfold_problems 1',
    'fanfold_target_oldest_undelivered_seconds{target="nas"} 90',
    'fanfold_target_waiting_deliveries{target="nas"} 3',
    'fanfold_target_parked_deliveries{target="nas"} 2',
    'fanfold_target_sent_bytes_total{target="nas"} 5000',
    'fanfold_target_state{target="nas",kind="directory",state="running"} 1',
    'fanfold_source_scan_age_seconds{source="papers"} 60',
    'fanfold_events_total{event="overflow",source="papers",target=""} 1',
    'fanfold_requests_total{target="nas",outcome="failed-stalled"} 3',
    'fanfold_login_end_timestamp_seconds{account="main"} 1798761600',
    'fanfold_attempt_duration_seconds_count{target="nas",outcome="delivered"} 1',
    'fanfold_delivery_latency_seconds_bucket{le="5",target="nas"} 1',
    'fanfold_journal_size_bytes{file="main"} 4096',
    'fanfold_stage_buffered_events{stage="intake"} 3',
  ])
    expect(text).toContain(`${line}\n`)
})

test('what left the configuration leaves the metrics, and counters do not grow by being looked at', async () => {
  const desk = smallDesk(busy)
  const { ask } = await served(anyPort, desk)
  await ask('/metrics')
  const again = (await ask('/metrics')).text
  desk.now = aStatus({ targets: [aLane({ name: 'stick' })] })
  const { text } = await ask('/metrics')

  expect(again).toContain('fanfold_target_sent_bytes_total{target="nas"} 5000\n')
  expect(text).not.toContain('fanfold_target_waiting_deliveries{target="nas"}')
  expect(text).toContain('fanfold_healthy 1\n')
})

test.each(['grafana-dashboard.json', 'prometheus-rules.yaml'])('%s asks for metrics that there are', async (name) => {
  const { ask } = await served(anyPort, smallDesk(busy))
  const { text } = await ask('/metrics')
  const known = [...text.matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, metric = '', type]) =>
    type === 'histogram' ? [metric, `${metric}_bucket`, `${metric}_count`, `${metric}_sum`] : [metric],
  )

  const asked = new Set([...config(name).matchAll(/\b(?:fanfold|process)_[a-z_]+\b/g)].map(([metric]) => metric))

  expect(asked.size).toBeGreaterThan(6)
  expect([...asked].filter((metric) => !known.includes(metric))).toEqual([])
})
