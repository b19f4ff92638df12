/** Wires the parts of one daemon together, in the order in which they need each other, and takes them apart in reverse. */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { showPath } from '../base/path.ts'
import type { Random } from '../base/random.ts'
import type { Config, TargetConfig } from '../config/config.ts'
import { openDigest, type Digest } from '../digest/digest.ts'
import type { Journal } from '../journal/journal.ts'
import { Pipeline, type OpenedTarget } from '../pipeline/pipeline.ts'
import { openSources, type Sources } from '../source/source.ts'
import { openTarget, type TargetParts } from '../target/catalogue.ts'
import { openPace } from '../target/pace.ts'
import { Clouds } from './clouds.ts'
import type { ConfigChange } from './reload.ts'

export interface DaemonOptions {
  /** Opens the log of a room. */
  readonly log: (room: string) => Log
  readonly clock: Clock
  readonly random: Random
  /** Where the service manager is found: its variables (NOTIFY_SOCKET, WATCHDOG_USEC). Without them nobody is told. */
  readonly environment?: NodeJS.ProcessEnv
}

export interface Assembly {
  readonly pipeline: Pipeline
  readonly sources: Sources
  /** Starts lanes, then sources: a change finds its lanes ready. */
  start(): Promise<void>
  /** Changes what another configuration has otherwise, and leaves the rest undisturbed. */
  apply(change: ConfigChange): Promise<void>
  stop(): Promise<void>
}

/** Large files digested at once. Two saturate a disk or two cores; more would only compete with the copies. */
const digestThreads = 2
/** Contents of small files kept so that every lane sends the bytes that were digested. Unit: bytes. */
const contentCacheBytesMax = 64 * 2 ** 20
/** What is under way may take this long to finish when the daemon is asked to stop (F102). Unit: ms. */
const stopGraceMs = 20_000

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
  const clouds = new Clouds({ config, clock, log })
  const pipeline = new Pipeline(config.targets, {
    journal,
    digest,
    openTarget: (target) => stacked(target, { journal, clouds }, options, onFailure),
    // A source that left the configuration: its files cannot be read and are reported as gone.
    rootOf: (source) => roots.get(source) ?? `/nonexistent/${source}`,
    host: config.node.id,
    clock,
    random,
    log: log('lane'),
    stopGraceMs,
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
      await pipeline.start()
      for (const source of config.sources) await sources.add(source)
    },
    async apply({ sources: sourceChange, targets: targetChange }) {
      for (const { name } of targetChange.removed) await pipeline.remove(name)
      for (const target of targetChange.changed) await pipeline.change(target)
      for (const target of targetChange.added) await pipeline.add(target)
      for (const { name } of [...sourceChange.removed, ...sourceChange.changed]) {
        await sources.remove(name)
        roots.delete(name)
      }
      for (const source of [...sourceChange.changed, ...sourceChange.added]) {
        journal.declareSource(source.name)
        roots.set(source.name, source.path)
        await sources.add(source)
      }
    },
    stop: () => stopInOrder({ sources, pipeline, digest }),
  }
}

/** A target with its worries around it. */
function stacked(
  config: TargetConfig,
  { journal, clouds }: { readonly journal: Journal; readonly clouds: Clouds },
  { log, clock, random }: DaemonOptions,
  onFailure: (error: Error) => void,
): OpenedTarget {
  const { name } = config
  const pace = openPace(config.pace, {
    name,
    clock,
    random,
    log: log('target'),
    onFailure,
    store: { load: () => journal.pace(name), save: (record) => journal.keepPace(name, record) },
  })
  const transport: TargetParts['transport'] = (cloud, hosts) => clouds.open(cloud, hosts, pace)
  const folders = journal.foldersAt(name)
  return { target: openTarget(config, { log: log('target'), clock, pace, transport, folders }), pace }
}

async function stopInOrder(parts: { sources: Sources; pipeline: Pipeline; digest: Digest }): Promise<void> {
  await parts.sources.stop()
  await parts.pipeline.stop()
  await parts.digest.stop()
}
