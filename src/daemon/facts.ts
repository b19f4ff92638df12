/** What the metrics show of a daemon, gathered when somebody asks for it. */
import { statSync } from 'node:fs'
import type { Desk } from '../control/control.ts'
import type { Journal } from '../journal/journal.ts'
import type { Facts } from '../page/page.ts'
import type { StageSnapshot } from '../stage/stage.ts'
import type { Assembly } from './assemble.ts'

export interface FactsParts {
  readonly desk: Desk
  readonly journal: Journal
  /** The journal's file. */
  readonly journalFile: string
  readonly assembly: Pick<Assembly, 'pipeline' | 'requests'>
}

export function factsOf({ desk, journal, journalFile, assembly }: FactsParts): Facts {
  return {
    status: desk.status(),
    events: journal.eventCounts(),
    requests: assembly.requests(),
    stages: assembly.pipeline.stages.map(stageFacts),
    journal: { main: bytesOf(journalFile), log: bytesOf(`${journalFile}-wal`) },
  }
}

function stageFacts(stage: StageSnapshot): Facts['stages'][number] {
  return {
    name: stage.name,
    bufferedCount: stage.role === 'consumer' ? 0 : stage.bufferedCount,
    handledCount: stage.role === 'producer' ? stage.emittedCount : stage.handledCount,
    busyMs: stage.busyMs,
  }
}

function bytesOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}
