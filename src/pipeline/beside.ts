/** Names beside a place, for what has to give it up and is to stay. */
import { createHash } from 'node:crypto'
import { folderOf, joinPath, nameOf, remotePath, showPath, type RemotePath } from '../base/path.ts'
import { TargetError, type RemoteEntry, type Target } from '../target/target.ts'

/** Names that file systems and clouds take hold 255 bytes; some of them count otherwise. Unit: bytes. */
const nameBytesMax = 200
/** Versions of one file that stayed and that nobody took away: more than these are not kept one by one. */
const namesMax = 100

/**
 * A free place in the same folder whose name tells what is there and since when: `letter (conflict 2026-11-20 1a2b3c4d).txt`.
 * @param word `conflict`: somebody else's version; `kept`: the copy of a file that is gone.
 * @throws TargetError `park` where there are too many already.
 */
export async function placeBeside(
  entry: Pick<RemoteEntry, 'path' | 'remoteId' | 'revision' | 'mtimeNs'>,
  word: 'conflict' | 'kept',
  target: Pick<Target, 'look'>,
  signal: AbortSignal,
): Promise<RemotePath> {
  const name = nameOf(entry.path)
  const dot = name.lastIndexOf('.')
  const end = dot > 0 && name.length - dot <= 16 ? name.slice(dot) : ''
  const stem = shortened(name.slice(0, name.length - end.length))
  const day = new Date(Number(entry.mtimeNs / 1_000_000n)).toISOString().slice(0, 10)
  for (let count = 1; count <= namesMax; count++) {
    const tag = `${word} ${day} ${versionOf(entry)}${count === 1 ? '' : ` ${count}`}`
    const place = remotePath(joinPath(folderOf(entry.path), `${stem} (${tag})${end}`))
    if ((await target.look(place, { hash: false }, signal)) === undefined) return place
  }
  const step = 'move those away, then run "fanfold retry"'
  throw new TargetError({ kind: 'park' }, `${showPath(entry.path)}: its ${namesMax} names beside it are taken; ${step}`)
}

/** Short, for people and names; another one whenever somebody writes there. */
export function versionOf({ remoteId, revision }: Pick<RemoteEntry, 'remoteId' | 'revision'>): string {
  return createHash('sha256').update(`${remoteId} ${revision}`).digest('hex').slice(0, 8)
}

function shortened(stem: string): string {
  let short = ''
  for (const letter of stem) {
    if (Buffer.byteLength(short + letter) > nameBytesMax) break
    short += letter
  }
  return short
}
