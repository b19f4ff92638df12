/** A journal in a real file, with two targets that were offered everything. */
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { openJournal, type Declaration, type Delivery, type Journal, type Outcome } from '../../src/journal/journal.ts'
import { aFolder } from '../builders.ts'

export interface Rig {
  readonly file: string
  journal: Journal
  readonly nas: number
  readonly usb: number
  /** Closes and opens again, as a restart does. */
  reopen(): void
}

/** What a configuration says of a target with this selector. */
export function declared(selector: string, place = '/mnt'): Declaration {
  return { kind: 'directory', selector, place }
}

export function aJournal(): Rig {
  const file = join(aFolder(), 'journal.sqlite')
  const first = openJournal(file, systemClock).journal
  const nas = first.declareTarget('nas', declared('all')).id
  const usb = first.declareTarget('usb', declared('all')).id
  const rig: Rig = {
    file,
    journal: first,
    nas,
    usb,
    reopen() {
      rig.journal.close()
      rig.journal = openJournal(file, systemClock).journal
      for (const name of ['nas', 'usb']) rig.journal.declareTarget(name, declared('all'))
    },
  }
  onTestFinished(() => rig.journal.close())
  return rig
}

export function delivered(delivery: Delivery, sha256 = 'ab'.repeat(32)): Outcome {
  const receipt = {
    path: delivery.path,
    remoteId: '7',
    revision: 'r1',
    size: delivery.size,
    sha256,
    mtimeNs: delivery.mtimeNs,
  }
  return { kind: 'delivered', receipt, crc32: 7, sent: true }
}
