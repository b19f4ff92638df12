/** Wires the parts of one daemon together, in the order in which they need each other, and takes them apart in reverse. */
import { showPath } from '../base/path.ts'
import type { Config, TargetConfig } from '../config/config.ts'
import { openDigest, type Digest } from '../digest/digest.ts'
import type { Journal } from '../journal/journal.ts'
import { Pipeline, type EndedAttempt } from '../pipeline/pipeline.ts'
import { openSources, type Sources } from '../source/source.ts'
import type { TransportCounters } from '../target/transport/transport.ts'
import { Clouds } from './clouds.ts'
import { Logins } from './logins.ts'
import { groundsOf, Opener } from './opener.ts'
import type { DaemonOptions } from './options.ts'
import type { ConfigStep } from './reload.ts'
import { markIn, Shelves } from './shelves.ts'
import type { State } from './state.ts'

export interface Assembly {
  readonly pipeline: Pipeline
  readonly sources: Sources
  readonly logins: Logins
  readonly shelves: Shelves
  /** Told of each attempt that is over. */
  readonly onAttempt: Set<(attempt: EndedAttempt) => void>
  /** Calls so far of targets that have a cloud behind them. */
  requests(): ReadonlyMap<string, TransportCounters>
  /** Starts lanes, then sources: a change finds its lanes ready. */
  start(): Promise<void>
  /** Changes what another configuration has otherwise, and leaves the rest undisturbed. One that failed may be asked for again. */
  apply(step: ConfigStep): Promise<void>
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
  { journal, instance }: Pick<State, 'journal' | 'instance'>,
  options: DaemonOptions,
  onFailure: (error: Error) => void,
): Promise<Assembly> {
  const { log, clock } = options
  const measure = { threads: digestThreads, cacheBytesMax: contentCacheBytesMax }
  const digest = await openDigest({ ...measure, log: log('digest'), clock })
  try {
    return await assembled(config, { journal, instance, digest }, options, onFailure)
  } catch (thrown) {
    await digest.stop()
    throw thrown
  }
}

async function assembled(
  config: Config,
  { journal, instance, digest }: Pick<State, 'journal' | 'instance'> & { readonly digest: Digest },
  options: DaemonOptions,
  onFailure: (error: Error) => void,
): Promise<Assembly> {
  const { log, clock, random } = options
  const roots = new Map(config.sources.map(({ name, path }) => [name, path]))
  const logins = new Logins(config, { ...options, onLogin: (account) => wakeLanes(pipeline, account) })
  const clouds = new Clouds({ config, logins, clock, log })
  const configs = (): TargetConfig[] => pipeline.seats.map((seat) => seat.config)
  const opener = new Opener(
    { ...groundsOf(journal), clouds, configs, instance, host: config.node.id },
    options,
    onFailure,
  )
  const onAttempt: Assembly['onAttempt'] = new Set()
  const pipeline: Pipeline = new Pipeline(config.targets, {
    journal,
    digest,
    openerOf: (kind) => opener.forLanes(kind),
    // A source that left the configuration: its files cannot be read and are reported as gone.
    rootOf: (source) => roots.get(source) ?? `/nonexistent/${source}`,
    onStale: (source, path) => sources.all.find(({ name }) => name === source)?.lookAgain(path),
    host: config.node.id,
    clock,
    random,
    log: log('lane'),
    stopGraceMs,
    onAttempt: (attempt) => onAttempt.forEach((told) => told(attempt)),
    onFailure,
  })
  const sources = await openSources({
    believed: journal,
    mounts: journal.mounts,
    take: (changes) => pipeline.take(changes),
    mayMoveFolder: (move) => pipeline.mayMoveFolder(move),
    note: ({ source, event, path, detail }) =>
      journal.note({ source, ...(path === undefined ? {} : { path }), event, detail: showPath(detail) }),
    clock,
    random,
    log: log('source'),
  })
  const shelves = shelvesOf({ configs, pipeline, opener, journal }, options)
  return {
    pipeline,
    sources,
    logins,
    shelves,
    onAttempt,
    requests: () => clouds.requests(),
    async start() {
      logins.start()
      await pipeline.start()
      for (const source of config.sources) await sources.add(source)
    },
    apply: (step) => applied(step, { journal, roots, pipeline, sources, logins }),
    stop: () => stopInOrder({ shelves, sources, pipeline, digest, logins }),
  }
}

function shelvesOf(
  parts: { configs: () => TargetConfig[]; pipeline: Pipeline; opener: Opener; journal: Journal },
  { clock, log }: DaemonOptions,
): Shelves {
  const { configs, pipeline, opener, journal } = parts
  return new Shelves({
    configs,
    running: (name) => pipeline.seat(name)?.reading,
    open: (target) => opener.forReading(target),
    markOf: (target) => markIn(journal, target),
    clock,
    log: log('target'),
  })
}

interface Standing extends Pick<Assembly, 'pipeline' | 'sources' | 'logins'> {
  readonly journal: Journal
  /** Folders of sources. */
  readonly roots: Map<string, string>
}

async function applied(step: ConfigStep, { journal, roots, pipeline, sources, logins }: Standing): Promise<void> {
  if (step.role === 'account') return logins.change(step)
  const { name } = step.entry
  if (step.role === 'target') return step.verb === 'removed' ? pipeline.remove(name) : pipeline.change(step.entry)
  // What the journal refuses is refused before anything is taken apart.
  if (step.verb !== 'removed') journal.declareSource(name)
  await sources.remove(name)
  if (step.verb === 'removed') return void roots.delete(name)
  roots.set(name, step.entry.path)
  await sources.add(step.entry)
}

/** Lanes that wait for this account's login look again at once. */
function wakeLanes(pipeline: Pipeline, account: string): void {
  for (const { config, lane } of pipeline.seats) {
    if (config.kind !== 'directory' && config.account.name === account) lane?.nudge()
  }
}

async function stopInOrder(parts: {
  shelves: Shelves
  sources: Sources
  pipeline: Pipeline
  digest: Digest
  logins: Logins
}): Promise<void> {
  await parts.shelves.close()
  await parts.sources.stop()
  await parts.pipeline.stop()
  await parts.digest.stop()
  await parts.logins.close()
}
