/** Wires the parts of one daemon together, in the order in which they need each other, and takes them apart in reverse. */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { showPath } from '../base/path.ts'
import type { Random } from '../base/random.ts'
import type { Config, TargetConfig } from '../config/config.ts'
import { openDigest, type Digest } from '../digest/digest.ts'
import type { Journal } from '../journal/journal.ts'
import { Pipeline } from '../pipeline/pipeline.ts'
import { openSources, type Sources } from '../source/source.ts'
import { openTarget } from '../target/catalogue.ts'
import { paced } from '../target/pace.ts'
import type { Target } from '../target/target.ts'

export interface DaemonOptions {
  /** Opens the log of a room. */
  readonly log: (room: string) => Log
  readonly clock: Clock
  readonly random: Random
}

export interface Assembly {
  readonly pipeline: Pipeline
  readonly sources: Sources
  /** Starts lanes, then sources: a change finds its lanes ready. */
  start(): Promise<void>
  stop(graceMs: number): Promise<void>
}

/** Large files digested at once. Two saturate a disk or two cores; more would only compete with the copies. */
const digestThreads = 2
/** Contents of small files kept so that every lane sends the bytes that were digested. Unit: bytes. */
const contentCacheBytesMax = 64 * 2 ** 20

export async function assemble(
  config: Config,
  journal: Journal,
  options: DaemonOptions,
  onFailure: (error: Error) => void,
): Promise<Assembly> {
  const { log, clock, random } = options
  const measure = { threads: digestThreads, cacheBytesMax: contentCacheBytesMax }
  const digest = await openDigest({ ...measure, log: log('digest'), clock })
  const roots = new Map(config.sources.map(({ name, path }) => [name, path]))
  const pipeline = new Pipeline(config.targets, {
    journal,
    digest,
    openTarget: (target) => stacked(target, options),
    // A source that left the configuration: its files cannot be read and are reported as gone.
    rootOf: (source) => roots.get(source) ?? `/nonexistent/${source}`,
    host: config.node.id,
    clock,
    random,
    log: log('lane'),
    onFailure,
  })
  const sources = await openSources({
    believed: journal,
    take: (changes) => pipeline.take(changes),
    note: ({ source, event, path, detail }) =>
      journal.note({ source, ...(path === undefined ? {} : { path }), event, detail: showPath(detail) }),
    clock,
    random,
    log: log('source'),
  })
  return {
    pipeline,
    sources,
    async start() {
      pipeline.start()
      for (const source of config.sources) await sources.add(source)
    },
    stop: (graceMs) => stopInOrder({ sources, pipeline, digest }, graceMs),
  }
}

/** A target with its worries around it. */
function stacked(config: TargetConfig, { log, clock }: DaemonOptions): Target {
  return paced(openTarget(config, { log: log('target'), clock }), config.pace, clock)
}

async function stopInOrder(
  parts: { sources: Sources; pipeline: Pipeline; digest: Digest },
  graceMs: number,
): Promise<void> {
  await parts.sources.stop()
  await parts.pipeline.stop(graceMs)
  await parts.digest.stop()
}
