/** The daemon's state directory: its lock and its journal, opened together and let go together. What stands in the journal is not its concern. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { asError, errnoOf, OwnerError } from '../base/errors.ts'
import type { Config } from '../config/config.ts'
import { JournalFull, openJournal, type Journal } from '../journal/journal.ts'
import type { DaemonOptions } from './options.ts'
import { Instance } from './instance.ts'
import { takeLock } from './lock.ts'

/** Between two tries to open a journal whose disk is full. Unit: ms. */
const openAgainMs = 2_000

/** The locked state directory with its journal. */
export interface State {
  readonly journal: Journal
  readonly instance: Instance
  release(): void
}

/** @throws OwnerError when the directory is in use or cannot be used. */
export function openState(config: Config, { log, clock }: DaemonOptions): State {
  makeStateFolder(config.state)
  const lock = takeLock(join(config.state, 'fanfold.lock'))
  try {
    const { journal, damagedFile } = openJournal(join(config.state, 'journal.sqlite'), clock, {
      allowsNetwork: config.stateOnNetwork === 'allow',
    })
    const instance = instanceOf(config, journal)
    journal.declareNode(config.node.id)
    for (const { name } of config.sources) journal.declareSource(name)
    if (damagedFile !== undefined) {
      const detail = `the journal was damaged and is kept as ${damagedFile}; it is being rebuilt from the sources and from what the targets hold`
      log('journal').error('journal damaged', { reason: detail })
      journal.note({ source: null, event: 'journal-damaged', detail })
    }
    return {
      journal,
      instance,
      release() {
        journal.close()
        lock.release()
      },
    }
  } catch (thrown) {
    lock.release()
    throw thrown
  }
}

function instanceOf(config: Config, journal: Journal): Instance {
  try {
    return new Instance(config.state, config.node.id)
  } catch (thrown) {
    journal.close()
    throw thrown
  }
}

function makeStateFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (thrown) {
    throw new OwnerError(
      `cannot make the state directory ${folder} (${errnoOf(thrown) ?? 'unknown reason'}): make it, or give another "state:"`,
      {
        cause: thrown,
      },
    )
  }
}

/** A full disk is no reason to end: it is said once, and tried until there is room. @throws the signal's reason when aborted before. */
export async function openStatePatiently(config: Config, options: DaemonOptions, signal: AbortSignal): Promise<State> {
  for (let tries = 0; ; tries++) {
    try {
      return openState(config, options)
    } catch (thrown) {
      if (!(thrown instanceof JournalFull || isNoRoom(thrown))) throw thrown
      const reason = `${asError(thrown).message}; nothing can be recorded in ${config.state} until space is freed there, which is tried every ${openAgainMs / 1000} s`
      if (tries === 0) options.log('journal').error('state-disk-full', { reason })
    }
    await options.clock.sleep(openAgainMs, signal)
  }
}

function isNoRoom(thrown: unknown): boolean {
  // What the instance's file met is not wrapped.
  const cause = thrown instanceof OwnerError ? thrown.cause : thrown
  return ['ENOSPC', 'EDQUOT'].includes(errnoOf(cause) ?? '')
}
