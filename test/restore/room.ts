/** Files that are wanted, targets that give them or fail at it, and a folder to put them in. */
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { systemClock } from '../../src/base/clock.ts'
import { remotePath } from '../../src/base/path.ts'
import {
  Destination,
  layout,
  Restoring,
  type CopyAt,
  type Restorable,
  type Tally,
  type Wanted,
} from '../../src/restore/restore.ts'
import { aFolder } from '../builders.ts'

export const mtimeNs = 1_234_567_890_123_456_789n
export const never = new AbortController().signal

export function wanted(
  path: string,
  content: string | Buffer,
  over: Partial<Wanted> & { at?: readonly string[] } = {},
): Wanted {
  const { at = ['nas'], ...rest } = over
  const bytes = Buffer.from(content)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const size = bytes.length
  const entry = {
    path: remotePath('at/target'),
    remoteId: path,
    revision: '1',
    size,
    mtimeNs,
    sha256,
    contentHash: undefined,
  }
  return { source: 'papers', path, size, mtimeNs, sha256, copies: at.map((target) => ({ target, entry })), ...rest }
}

/** What a target answers when it is asked for content; an error is thrown where so much of it was given. */
export type Gives = (copy: CopyAt, start: number) => Readable

export function giving(content: string | Buffer, breaksAt = Infinity): Gives {
  const bytes = Buffer.from(content)
  return (_copy, start) =>
    Readable.from(
      (function* (): Generator<Buffer> {
        for (let at = start; at < bytes.length; at += 64 * 1024) {
          if (at >= breaksAt) throw new Error('the line is dead')
          yield bytes.subarray(at, Math.min(at + 64 * 1024, bytes.length))
        }
      })(),
      { objectMode: false },
    )
}

export interface Room {
  readonly to: string
  /** What was asked of which target. */
  readonly asked: { readonly target: string; readonly start: number }[]
  run(
    files: readonly (Wanted | Restorable)[],
    over?: { force?: boolean; dryRun?: boolean; signal?: AbortSignal },
  ): Promise<Tally>
}

export function aRoom(gives: Readonly<Record<string, Gives>>): Room {
  const to = join(aFolder(), 'restored')
  mkdirSync(to)
  const asked: Room['asked'] = []
  return {
    to,
    asked,
    async run(files, { force = false, dryRun = false, signal = never } = {}) {
      const restoring = new Restoring({
        destination: new Destination(to),
        read: (copy, start) => {
          asked.push({ target: copy.target, start })
          const give = gives[copy.target]
          return give === undefined ? Promise.reject(new Error('no such target')) : Promise.resolve(give(copy, start))
        },
        placeOf: layout('papers'),
        mayReplace: force,
        isDryRun: dryRun,
        clock: { ...systemClock, sleep: () => Promise.resolve() },
      })
      const begin: Restorable = { kind: 'begin', isBare: false, targets: Object.keys(gives), files: null }
      const items = files.map((file): Restorable => ('kind' in file ? file : { kind: 'file', file }))
      await restoring.run(Readable.from([begin, ...items]), signal)
      return restoring.tally
    },
  }
}
