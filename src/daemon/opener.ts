/** Opens targets with their worries around them: pace, way to the cloud, memory of folders. What is done with a target is not its concern. */
import type { TargetConfig } from '../config/config.ts'
import type { Journal } from '../journal/journal.ts'
import { ownFolder, type OpenedTarget, type PipelineParts } from '../pipeline/pipeline.ts'
import { AccountPaces, type AccountPacesParts } from '../target/account-paces.ts'
import { type OpenableTarget, openerOf, type TargetParts } from '../target/catalogue.ts'
import type { Pace } from '../target/pace.ts'
import type { Clouds } from './clouds.ts'
import type { Instance } from './instance.ts'
import type { DaemonOptions } from './options.ts'

export interface Grounds extends Pick<AccountPacesParts, 'store'> {
  readonly foldersAt: (target: string) => TargetParts['folders']
  readonly clouds: Clouds
  /** Who writes to targets; undefined where nobody does. */
  readonly instance: Instance | undefined
  /** This host's name, for templates. */
  readonly host: string
  /** Of all targets there are now. */
  readonly configs: () => readonly TargetConfig[]
}

/** What a journal remembers of targets. */
export function groundsOf(journal: Journal): Pick<Grounds, 'store' | 'foldersAt'> {
  return {
    store: {
      load: (target) => journal.pace(target),
      save: (target, record) => journal.keepPace(target, record),
    },
    foldersAt: (target) => journal.foldersAt(target),
  }
}

/** Nothing is remembered, and what is found out is forgotten with the process. */
export function bareGrounds(): Pick<Grounds, 'store' | 'foldersAt'> {
  return {
    store: { load: () => undefined, save: () => Promise.resolve() },
    foldersAt: () => {
      const ids = new Map<string, string>()
      return {
        get: (path) => ids.get(path),
        keep: (path, id) => Promise.resolve(void ids.set(path, id)),
        forget: (path) => {
          for (const known of [...ids.keys()])
            if (path === '' || known === path || known.startsWith(`${path}/`)) ids.delete(known)
          return Promise.resolve()
        },
      }
    },
  }
}

/** A target for reading, with the pace that its owner closes after it. */
export interface OpenedForReading {
  readonly target: OpenableTarget
  readonly pace: Pick<Pace, 'close'>
}

export class Opener {
  readonly #grounds: Grounds
  readonly #options: Pick<DaemonOptions, 'log' | 'clock'>
  readonly #paces: AccountPaces

  /** @param onFailure a pause could not be written down. */
  constructor(grounds: Grounds, { log, clock, random }: DaemonOptions, onFailure: (error: Error) => void) {
    this.#grounds = grounds
    this.#options = { log, clock }
    this.#paces = new AccountPaces({ clock, random, log: log('target'), onFailure, store: grounds.store })
  }

  /** Loads one kind for lanes. */
  async forLanes(kind: TargetConfig['kind']): Promise<Awaited<ReturnType<PipelineParts['openerOf']>>> {
    const opener = await openerOf(kind)
    return (config): OpenedTarget => {
      const { instance, host } = this.#grounds
      const pace = this.#pace(config)
      const claim = instance && { claimant: instance.claimantOf(config.name), folder: ownFolder(config.at, host) }
      return { target: opener.open(config, { ...this.#parts(config, pace), claim }), pace }
    }
  }

  /** At the pace of its account, with all others that work there. */
  async forReading(config: TargetConfig): Promise<OpenedForReading> {
    const opener = await openerOf(config.kind)
    const pace = this.#pace(config)
    return { target: opener.openForReading(config, this.#parts(config, pace)), pace }
  }

  #pace(config: TargetConfig): Pace {
    const account = accountOf(config)
    const others = this.#grounds.configs().filter((other) => accountOf(other) === account)
    return this.#paces.join({
      target: config.name,
      settings: config.pace,
      account,
      others: others.map(({ name }) => name),
    })
  }

  #parts({ name }: TargetConfig, pace: Pace): TargetParts {
    const { clouds, foldersAt } = this.#grounds
    const { log, clock } = this.#options
    const transport: TargetParts['transport'] = (cloud, hosts) => clouds.open(cloud, hosts, pace)
    return { log: log('target'), clock, pace, transport, folders: foldersAt(name), claim: undefined }
  }
}

/** Who shares a pace: a directory is a place of its own, a cloud's account is one whatever goes there. */
function accountOf(config: TargetConfig): string {
  return config.kind === 'directory' ? config.name : `${config.kind} account ${config.account.name}`
}
