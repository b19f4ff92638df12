/** Wires the parts of one daemon together, in the order in which they need each other, and takes them apart in reverse. */
import { showPath } from '../base/path.ts'
import type { Config, TargetConfig } from '../config/config.ts'
import { openDigest, type Digest } from '../digest/digest.ts'
import type { Journal } from '../journal/journal.ts'
import { ownFolder, Pipeline, type PipelineParts } from '../pipeline/pipeline.ts'
import { openSources, type Sources } from '../source/source.ts'
import { AccountPaces, type AccountPacesParts } from '../target/account-paces.ts'
import { openerOf, type TargetParts } from '../target/catalogue.ts'
import { Clouds } from './clouds.ts'
import { Logins } from './logins.ts'
import type { DaemonOptions } from './options.ts'
import type { Instance } from './instance.ts'
import type { ConfigStep } from './reload.ts'
import type { State } from './state.ts'

export interface Assembly {
  readonly pipeline: Pipeline
  readonly sources: Sources
  readonly logins: Logins
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
  const pipeline: Pipeline = new Pipeline(config.targets, {
    journal,
    digest,
    openerOf: openers({ journal, instance, clouds, configs, host: config.node.id }, options, onFailure),
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
    logins,
    async start() {
      logins.start()
      await pipeline.start()
      for (const source of config.sources) await sources.add(source)
    },
    apply: (step) => applied(step, { journal, roots, pipeline, sources, logins }),
    stop: () => stopInOrder({ sources, pipeline, digest, logins }),
  }
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

/** Who shares a pace: a directory is a place of its own, a cloud's account is one whatever goes there. */
function accountOf(config: TargetConfig): string {
  return config.kind === 'directory' ? config.name : `${config.kind} account ${config.account.name}`
}

interface Grounds {
  readonly journal: Journal
  readonly instance: Instance
  /** This host's name, for templates. */
  readonly host: string
  readonly clouds: Clouds
  /** Of all targets there are now. */
  readonly configs: () => readonly TargetConfig[]
}

/** Opens targets with their worries around them. */
function openers(
  { journal, instance, host, clouds, configs }: Grounds,
  { log, clock, random }: DaemonOptions,
  onFailure: (error: Error) => void,
): PipelineParts['openerOf'] {
  const store: AccountPacesParts['store'] = {
    load: (target) => journal.pace(target),
    save: (target, record) => journal.keepPace(target, record),
  }
  const paces = new AccountPaces({ clock, random, log: log('target'), onFailure, store })
  return async (kind) => {
    const open = await openerOf(kind)
    return (config) => {
      const account = accountOf(config)
      const others = configs().filter((other) => accountOf(other) === account)
      const names = others.map(({ name }) => name)
      const pace = paces.join({ target: config.name, settings: config.pace, account, others: names })
      const transport: TargetParts['transport'] = (cloud, hosts) => clouds.open(cloud, hosts, pace)
      const folders = journal.foldersAt(config.name)
      const claim = { claimant: instance.claimantOf(config.name), folder: ownFolder(config.at, host) }
      return { target: open(config, { log: log('target'), clock, pace, transport, folders, claim }), pace }
    }
  }
}

async function stopInOrder(parts: {
  sources: Sources
  pipeline: Pipeline
  digest: Digest
  logins: Logins
}): Promise<void> {
  await parts.sources.stop()
  await parts.pipeline.stop()
  await parts.digest.stop()
  await parts.logins.close()
}
