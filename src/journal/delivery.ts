/** Deliveries as the rest of the program sees them, and how they come out of the journal's rows. */
import { unreachable } from '../base/errors.ts'
import type { SourcePath } from '../base/path.ts'
import { inodeOfCell, nameOfCell, type NameCell } from './rows.ts'
import type { Look, LookCell } from './targets.ts'
import type { Tree } from './tree.ts'

/** A target's proof, as the journal keeps it. */
export interface StoredReceipt {
  readonly seq: number
  readonly path: string
  readonly remoteId: string
  readonly revision: string
  readonly size: number
  /** Hex. */
  readonly sha256: string
  readonly mtimeNs: bigint
}

/** One claimed delivery: what is owed, and all the journal knows that helps to pay it. */
export interface Delivery {
  readonly targetId: number
  readonly fileId: number
  readonly seq: number
  readonly source: string
  readonly path: SourcePath
  readonly size: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly inode: bigint
  /** Known if this seq was digested before. */
  readonly digest: { readonly sha256: string; readonly crc32: number } | undefined
  readonly attempts: number
  /** When the change was recorded that is owed. Unit: ms since 1970. */
  readonly sinceMs: number
  readonly look: Look
  readonly receipt: StoredReceipt | undefined
  /** Where an attempt of which nothing more is known may have moved the copy, see LeftCopies.keep. */
  readonly movingTo: string | undefined
  readonly session: Readonly<Record<string, string | number>> | undefined
  /** A session of an older state of the file, with which nobody goes on. */
  readonly abandoned: Readonly<Record<string, string | number>> | undefined
  /** Why the last attempt failed, where its owner wants it tried again since; null after anything newer. */
  readonly reason: string | null
}

/** What an attempt is for: to put a copy, to look at what the target holds, since nobody knows any more, or to have the copy leave. */
export type Aim = 'put' | 'look' | 'leave'

/**
 * The aim of a row. A row that is wanted for another thing by now, as a copy that was leaving and is offered again, is not paid by an attempt with the old
 * aim, as little as a newer state of the file is.
 */
export const aimCell =
  "CASE look WHEN 'remove' THEN 'leave' WHEN 'remove-in-doubt' THEN 'leave' WHEN 'receipt' THEN 'look' ELSE 'put' END"

export function aimOf({ look }: { readonly look: LookCell }): Aim {
  return look === 'remove' || look === 'remove-in-doubt' ? 'leave' : look === 'receipt' ? 'look' : 'put'
}

/** How an attempt ended. */
export type Outcome =
  | {
      readonly kind: 'delivered'
      readonly receipt: Omit<StoredReceipt, 'seq'>
      readonly crc32: number | undefined
      readonly sent: boolean
    }
  /** `isCounted`: the delivery is to blame, not the target. */
  | {
      readonly kind: 'postponed'
      readonly delayMs: number
      readonly reason: string
      readonly isCounted: boolean
      /** The other side did not keep up. */
      readonly isOverload?: boolean
      /** Where its copy lies meanwhile, out of another one's way; null where there is none any more, so that nobody waits for it. */
      readonly aside?: Omit<StoredReceipt, 'seq'> | null
      /** The file whose copy is in the way. */
      readonly behind?: number
    }
  /** The attempt was never begun, since it would come too early: nothing is in doubt, and nobody is to blame. */
  | { readonly kind: 'deferred'; readonly delayMs: number; readonly reason: string }
  | { readonly kind: 'parked'; readonly reason: string; readonly againInMs: number | null }
  /** The attempt was broken off, by the target's failure or by the end of the daemon: what it left at the target is unknown. */
  | { readonly kind: 'interrupted' }
  /** The attempt was never begun. */
  | { readonly kind: 'released' }
  /** Nothing was owed but a true receipt: this is what the target holds; undefined: nothing. */
  | { readonly kind: 'looked'; readonly receipt: Omit<StoredReceipt, 'seq'> | undefined }
  /** The copy followed its file: where it lies now, or that there was none. */
  | { readonly kind: 'removed'; readonly detail: string }
  /** The copy is to stay after all. */
  | { readonly kind: 'kept'; readonly reason: string }

export interface OpenDelivery {
  readonly target: string
  readonly state: 'waiting' | 'postponed' | 'parked' | 'leaving'
  readonly reason: string | null
  readonly attempts: number
  readonly dueMs: number | null
}

/** What a claim reads, of a delivery and of all that hangs on it; in the order of `ClaimCells`. */
export const claimColumns = `
  delivery.file_id, delivery.wanted_seq, delivery.attempts, delivery.since_ms, delivery.look, delivery.reason,
  file.folder_id, file.name, file.size, file.mtime_ns, file.ctime_ns, file.inode, file.sha256, file.crc32,
  upload_session.session, upload_session.seq,
  receipt.seq, receipt.path, receipt.remote_id, receipt.revision, receipt.size, receipt.sha256, receipt.mtime_ns,
  receipt.moving_to`
export const claimJoins = `
  JOIN file ON file.id = delivery.file_id
  LEFT JOIN receipt ON receipt.target_id = delivery.target_id AND receipt.file_id = delivery.file_id
  LEFT JOIN upload_session ON upload_session.target_id = delivery.target_id AND upload_session.file_id = delivery.file_id`

/** A row as a list: naming 23 cells takes as long as reading them. */
export type ClaimCells = readonly [
  ...[fileId: bigint, seq: bigint, attempts: bigint, sinceMs: bigint, look: LookCell, reason: string | null],
  ...[folderId: bigint, name: NameCell, size: bigint, mtimeNs: bigint, ctimeNs: bigint, inode: bigint],
  ...[sha256: Buffer | null, crc32: bigint | null, session: string | null, sessionSeq: bigint | null],
  ...[receiptSeq: bigint | null, receiptPath: NameCell, remoteId: string, revision: string],
  ...[receiptSize: bigint, receiptSha256: Buffer, receiptMtimeNs: bigint, movingTo: NameCell | null],
]

/** Of a receipt, in the words of `ReceiptRow`. */
export const receiptColumns = 'seq, path, remote_id AS remoteId, revision, size, sha256, mtime_ns AS mtimeNs'

export interface ReceiptRow {
  readonly target: string
  readonly seq: bigint
  readonly path: NameCell
  readonly remoteId: string
  readonly revision: string
  readonly size: bigint
  readonly sha256: Buffer
  readonly mtimeNs: bigint
}

/** @param doubtfulSeq what was owed up to this seq may have been tried by a process that could not tell. */
export function deliveryOf(
  cells: ClaimCells,
  { targetId, tree, doubtfulSeq }: { readonly targetId: number; readonly tree: Tree; readonly doubtfulSeq: number },
): Delivery {
  const [fileId, seq, attempts, sinceMs, look, reason, folderId, name, size, mtimeNs, ctimeNs, inode, ...more] = cells
  const [sha256, crc32, session, sessionSeq, ...receipt] = more
  const movingTo = receipt[7]
  const { source, path } = tree.pathOf(Number(folderId), name)
  return {
    targetId,
    fileId: Number(fileId),
    seq: Number(seq),
    source,
    path,
    size: Number(size),
    mtimeNs,
    ctimeNs,
    inode: inodeOfCell(inode),
    digest: sha256 === null ? undefined : { sha256: sha256.toString('hex'), crc32: Number(crc32) },
    attempts: Number(attempts),
    sinceMs: Number(sinceMs),
    look: lookOf(look, seq <= doubtfulSeq),
    receipt: receiptOfClaim(receipt),
    movingTo: movingTo === null ? undefined : nameOfCell(movingTo),
    session: session === null || sessionSeq !== seq ? undefined : parseSession(session),
    abandoned: session === null || sessionSeq === seq ? undefined : parseSession(session),
    reason,
  }
}

function lookOf(cell: LookCell, isOld: boolean): Look {
  if (cell === 'remove-in-doubt') return 'remove'
  return cell === 'trust' && isOld ? 'entry' : cell
}

/** What the history says of an outcome; undefined: nothing. */
export function wordsOf(outcome: Outcome): string | undefined {
  switch (outcome.kind) {
    case 'delivered': {
      const { size, sha256, path } = outcome.receipt
      return `${outcome.sent ? 'sent' : 'already there'}: ${size} bytes, sha256 ${sha256}, at ${path}`
    }
    case 'postponed':
    case 'parked':
    case 'kept':
      return outcome.reason
    case 'removed':
      return outcome.detail
    // Each save of a file that is saved again and again would be a row.
    case 'deferred':
    case 'looked':
    case 'interrupted':
    case 'released':
      return undefined
    default:
      return unreachable(outcome)
  }
}

type ReceiptCells = [
  ...[seq: bigint | null, path: NameCell, remoteId: string, revision: string],
  ...[size: bigint, sha256: Buffer, mtimeNs: bigint, movingTo: NameCell | null],
]

function receiptOfClaim([seq, path, remoteId, revision, size, sha256, mtimeNs]: ReceiptCells):
  StoredReceipt | undefined {
  if (seq === null) return undefined
  return storedReceipt({ target: '', seq, path, remoteId, revision, size, sha256, mtimeNs })
}

export function storedReceipt({ seq, path, remoteId, revision, size, sha256, mtimeNs }: ReceiptRow): StoredReceipt {
  const hash = sha256.toString('hex')
  return { seq: Number(seq), path: nameOfCell(path), remoteId, revision, size: Number(size), sha256: hash, mtimeNs }
}

/** This text was written by this file only. */
function parseSession(text: string): Readonly<Record<string, string | number>> {
  return JSON.parse(text) as Readonly<Record<string, string | number>>
}
