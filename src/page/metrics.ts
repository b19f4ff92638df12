/** Metrics for Prometheus, of its own registry: all but the attempts' times are taken when they are asked for. Names follow its conventions. */
import { readdirSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { AttemptFacts, Facts, RequestFacts } from './facts.ts'

/** A small file on a disk takes milliseconds, a large one at a cloud hours. Unit: seconds. */
const attemptBuckets = [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300, 1800, 7200]
/** From a change to its copy: what is promised is minutes. Unit: seconds. */
const latencyBuckets = [1, 2, 5, 10, 30, 60, 300, 600, 3600, 21_600, 86_400]

type Labels = Readonly<Record<string, string>>

export class Metrics {
  readonly #facts: () => Facts
  readonly #registry = new Registry()
  readonly #gauges = new Map<string, Gauge>()
  readonly #counters = new Map<string, Counter>()
  readonly #attempts: Histogram
  readonly #latency: Histogram
  #utilisation = performance.eventLoopUtilization()

  constructor(facts: () => Facts) {
    this.#facts = facts
    const registers = [this.#registry]
    this.#attempts = new Histogram({
      name: 'fanfold_attempt_duration_seconds',
      help: 'Time that attempts at deliveries took, by how they ended.',
      labelNames: ['target', 'outcome'],
      buckets: attemptBuckets,
      registers,
    })
    this.#latency = new Histogram({
      name: 'fanfold_delivery_latency_seconds',
      help: 'Time from a change to its proven copy.',
      labelNames: ['target'],
      buckets: latencyBuckets,
      registers,
    })
  }

  attempted({ target, outcome, durationMs, latencyMs }: AttemptFacts): void {
    this.#attempts.observe({ target, outcome }, durationMs / 1000)
    if (latencyMs !== undefined) this.#latency.observe({ target }, latencyMs / 1000)
  }

  async text(): Promise<string> {
    // What left the configuration is not shown as it was last.
    for (const metric of [...this.#gauges.values(), ...this.#counters.values()]) metric.reset()
    const facts = this.#facts()
    this.#showVerdict(facts)
    this.#showSources(facts)
    this.#showTargets(facts)
    this.#showRequests(facts)
    this.#showParts(facts)
    this.#showProcess()
    this.#gauge('fanfold_loop_lag_seconds', 'How late the main loop is at this moment.', {}, await loopLagSeconds())
    return this.#registry.metrics()
  }

  #showVerdict({ status }: Facts): void {
    this.#gauge('fanfold_healthy', 'Whether everything is safe, as status and /health say.', {}, Number(status.healthy))
    this.#gauge('fanfold_problems', 'Things that keep it from being safe.', {}, status.causes.length)
    for (const { name, endsAt } of status.accounts) {
      if (endsAt === null) continue
      const help = 'When a login ends by itself, in seconds since 1970.'
      this.#gauge('fanfold_login_end_timestamp_seconds', help, { account: name }, Date.parse(endsAt) / 1000)
    }
  }

  #showSources({ status }: Facts): void {
    for (const { name: source, ...facts } of status.sources) {
      const gauge = (name: string, help: string, value: number): void =>
        this.#gauge(`fanfold_source_${name}`, help, { source }, value)
      gauge('files', 'Files known to exist.', facts.files)
      gauge('watched_folders', 'Folders under watch.', facts.watched)
      gauge('settling_changes', 'Changes seen and not yet recorded.', facts.settling)
      gauge('removals_held', 'Whether removals wait for an approval.', Number(facts.removalsHeld))
      if (facts.lastScanMs !== null)
        gauge('scan_age_seconds', 'Time since the last whole scan ended.', facts.lastScanMs / 1000)
      this.#gauge(
        'fanfold_source_state',
        'The state of a source: 1 for the one it is in.',
        { source, state: facts.state },
        1,
      )
    }
  }

  #showTargets({ status }: Facts): void {
    for (const { name: target, kind, space, ...facts } of status.targets) {
      const gauge = (name: string, help: string, value: number): void =>
        this.#gauge(`fanfold_target_${name}`, help, { target }, value)
      const oldest = 'Age of the oldest change that a target lacks; 0 when it lacks none.'
      gauge('oldest_undelivered_seconds', oldest, (facts.oldestMs ?? 0) / 1000)
      gauge('waiting_deliveries', 'Deliveries owed and not under way.', facts.waiting)
      gauge('active_deliveries', 'Deliveries under way.', facts.active)
      gauge('parked_deliveries', 'Deliveries that wait for their owner.', facts.parked)
      gauge('delivered_files', 'Files of which a target holds a proven copy.', facts.delivered)
      gauge('leaving_copies', 'Copies of removed files that wait for their grace.', facts.leaving)
      gauge('waiting_bytes', 'Bytes owed.', facts.bytesWaiting)
      const sent = 'Bytes sent since the start.'
      this.#counter('fanfold_target_sent_bytes_total', sent, { target }, facts.bytesSent)
      const labels = { target, kind, state: facts.state }
      this.#gauge('fanfold_target_state', 'The state of a target: 1 for the one it is in.', labels, 1)
      if (space === null) continue
      gauge('used_bytes', 'Bytes used at a target, as it said last.', space.usedBytes)
      if (space.freeBytes !== null) gauge('free_bytes', 'Bytes free at a target, as it said last.', space.freeBytes)
    }
  }

  #showRequests({ requests, events }: Facts): void {
    for (const [target, facts] of requests) {
      for (const [outcome, count] of outcomesOf(facts)) {
        const help = 'Calls to clouds, by how they ended.'
        this.#counter('fanfold_requests_total', help, { target, outcome }, count)
      }
      const help = 'Bytes of bodies to and from clouds.'
      this.#counter('fanfold_request_bytes_total', help, { target, direction: 'up' }, facts.bytesUp)
      this.#counter('fanfold_request_bytes_total', help, { target, direction: 'down' }, facts.bytesDown)
    }
    for (const { event, source, target, count } of events) {
      const help = 'Lines added to the history, such as delivered, paused, overflow, missed.'
      this.#counter('fanfold_events_total', help, { event, source: source ?? '', target: target ?? '' }, count)
    }
  }

  #showParts({ journal, stages }: Facts): void {
    const size = 'Bytes of the journal and of its write-ahead log.'
    this.#gauge('fanfold_journal_size_bytes', size, { file: 'main' }, journal.main)
    this.#gauge('fanfold_journal_size_bytes', size, { file: 'log' }, journal.log)
    for (const { name: stage, bufferedCount, handledCount, busyMs } of stages) {
      this.#gauge('fanfold_stage_buffered_events', 'Events that wait for somebody to ask.', { stage }, bufferedCount)
      this.#counter('fanfold_stage_handled_events_total', 'Events handled by a stage.', { stage }, handledCount)
      this.#counter('fanfold_stage_busy_seconds_total', 'Time that a stage’s callbacks took.', { stage }, busyMs / 1000)
    }
  }

  #showProcess(): void {
    const { user, system } = process.cpuUsage()
    const { rss, heapUsed } = process.memoryUsage()
    const startSeconds = performance.timeOrigin / 1000
    this.#counter('process_cpu_seconds_total', 'Time of processors used.', {}, (user + system) / 1e6)
    this.#gauge('process_resident_memory_bytes', 'Memory held.', {}, rss)
    this.#gauge('process_heap_bytes', 'Memory of the JavaScript heap in use.', {}, heapUsed)
    this.#gauge('process_start_time_seconds', 'Start, in seconds since 1970.', {}, startSeconds)
    this.#gauge('process_open_fds', 'Open file descriptors.', {}, readdirSync('/proc/self/fd').length)
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, this.#utilisation)
    this.#utilisation = now
    const help = 'Part of the time since the last look in which the main loop worked.'
    this.#gauge('fanfold_loop_utilization_ratio', help, {}, utilization)
  }

  #gauge(name: string, help: string, labels: Labels, value: number): void {
    const known = this.#gauges.get(name)
    const gauge = known ?? new Gauge({ name, help, labelNames: Object.keys(labels), registers: [this.#registry] })
    if (known === undefined) this.#gauges.set(name, gauge)
    gauge.set(labels, value)
  }

  /** @param total since the start: counted elsewhere. */
  #counter(name: string, help: string, labels: Labels, total: number): void {
    const known = this.#counters.get(name)
    const counter = known ?? new Counter({ name, help, labelNames: Object.keys(labels), registers: [this.#registry] })
    if (known === undefined) this.#counters.set(name, counter)
    counter.inc(labels, total)
  }
}

function outcomesOf({ answered, refused, limited, broken, failed }: RequestFacts): [outcome: string, count: number][] {
  const without = Object.entries(failed).map(([kind, count]): [string, number] => [`failed-${kind}`, count ?? 0])
  return [['answered', answered], ['refused', refused], ['limited', limited], ['broken', broken], ...without]
}

/** How long what is due at once has to wait. */
function loopLagSeconds(): Promise<number> {
  const from = process.hrtime.bigint()
  return new Promise((resolve) => {
    setImmediate(() => {
      resolve(Number(process.hrtime.bigint() - from) / 1e9)
    })
  })
}
