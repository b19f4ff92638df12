/** One copy on its way to Google Drive, and what is said of it there. */
import type { drive_v3 } from 'googleapis/build/src/apis/drive/index.js'
import type { SourceFile } from '../source-file.ts'
import { type LocalCopy, type PutWork, TargetError } from '../target.ts'
import type { RemotePath } from '../../base/path.ts'

export interface UploadSizes {
  /** Up to here one call is cheaper than two, and what a crash costs is little. */
  readonly oneCallBytesMax: number
  /** What a crash costs at most. A multiple of 256 KiB, which Google wants of all but the last; a larger one costs no memory. */
  readonly chunkBytes: number
}

/** Source: Drive, "Choose an upload type". */
export const usualSizes: UploadSizes = { oneCallBytesMax: 5 * 2 ** 20, chunkBytes: 16 * 2 ** 20 }

export interface Errand {
  readonly copy: LocalCopy
  readonly at: RemotePath
  readonly work: PutWork
  readonly source: SourceFile
  readonly verb: string
  readonly progress: (bytesDone: number) => void
  /** Where it goes. */
  readonly folder: string
  readonly spelled: string
  readonly chunkBytes: number
}

/** Google keeps milliseconds. */
export function isTimeOf(mtimeNs: bigint, copy: Pick<LocalCopy, 'mtimeNs'>): boolean {
  return timeOf(copy.mtimeNs) === undefined || mtimeNs === floorMs(copy.mtimeNs) * 1_000_000n
}

/** As the time of a file there; without it the time of the upload stands there. */
export function timeOf(mtimeNs: bigint): string | undefined {
  const ms = Number(floorMs(mtimeNs))
  const text = Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : ''
  return /^\d{4}-/.test(text) ? text : undefined
}

function floorMs(ns: bigint): bigint {
  const ms = ns / 1_000_000n
  return ns < 0n && ms * 1_000_000n !== ns ? ms - 1n : ms
}

/** @param id of a file that is to be; undefined for one that is there, which keeps its name and place. */
export function metadataOf({ copy, folder, spelled }: Errand, id: string | undefined): drive_v3.Schema$File {
  const modifiedTime = timeOf(copy.mtimeNs)
  const time = modifiedTime === undefined ? {} : { modifiedTime }
  // A neutral type, so that nothing is ever made into a document.
  return id === undefined
    ? time
    : { id, name: spelled, parents: [folder], mimeType: 'application/octet-stream', ...time }
}

export function noFile(what: string): TargetError {
  return new TargetError({ kind: 'retry' }, `${what}: expected a file, got something else; it is tried again`)
}
