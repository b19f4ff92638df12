/** Deliveries as the rest of the program sees them, and how they come out of the journal's rows. */
import type { SourcePath } from '../base/path.ts'
import { inodeOfCell, nameOfCell, type NameCell } from './rows.ts'
import type { Look } from './targets.ts'
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
  readonly look: Look
  readonly receipt: StoredReceipt | undefined
  readonly session: Readonly<Record<string, string | number>> | undefined
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
    }
  | { readonly kind: 'parked'; readonly reason: string; readonly againInMs: number | null }
  /** The attempt was broken off, by the target's failure or by the end of the daemon: what it left at the target is unknown. */
  | { readonly kind: 'interrupted' }
  /** The attempt was never begun. */
  | { readonly kind: 'released' }
  /** Nothing was owed but a true receipt: this is what the target holds; undefined: nothing. */
  | { readonly kind: 'looked'; readonly receipt: Omit<StoredReceipt, 'seq'> | undefined }

export interface OpenDelivery {
  readonly target: string
  readonly state: 'waiting' | 'postponed' | 'parked'
  readonly reason: string | null
  readonly attempts: number
  readonly dueMs: number | null
}

/** What a claim reads, of a delivery and of all that hangs on it. */
export const claimColumns = `
  delivery.file_id AS fileId, delivery.wanted_seq AS seq, delivery.attempts AS attempts, delivery.look AS look,
  file.folder_id AS folderId, file.name AS name, file.size AS size, file.mtime_ns AS mtimeNs, file.ctime_ns AS ctimeNs,
  file.inode AS inode, file.sha256 AS sha256, file.crc32 AS crc32,
  receipt.seq AS receiptSeq, receipt.path AS receiptPath, receipt.remote_id AS remoteId, receipt.revision AS revision,
  receipt.size AS receiptSize, receipt.sha256 AS receiptSha256, receipt.mtime_ns AS receiptMtimeNs,
  upload_session.session AS session, upload_session.seq AS sessionSeq`
export const claimJoins = `
  JOIN file ON file.id = delivery.file_id
  LEFT JOIN receipt ON receipt.target_id = delivery.target_id AND receipt.file_id = delivery.file_id
  LEFT JOIN upload_session ON upload_session.target_id = delivery.target_id AND upload_session.file_id = delivery.file_id`

export interface ClaimRow {
  readonly fileId: bigint
  readonly seq: bigint
  readonly attempts: bigint
  readonly look: Look
  readonly folderId: bigint
  readonly name: NameCell
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly inode: bigint
  readonly sha256: Buffer | null
  readonly crc32: bigint | null
  readonly receiptSeq: bigint | null
  readonly receiptPath: NameCell
  readonly remoteId: string
  readonly revision: string
  readonly receiptSize: bigint
  readonly receiptSha256: Buffer
  readonly receiptMtimeNs: bigint
  readonly session: string | null
  readonly sessionSeq: bigint | null
}

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
  row: ClaimRow,
  { targetId, tree, doubtfulSeq }: { readonly targetId: number; readonly tree: Tree; readonly doubtfulSeq: number },
): Delivery {
  const { source, path } = tree.pathOf(Number(row.folderId), row.name)
  return {
    targetId,
    fileId: Number(row.fileId),
    seq: Number(row.seq),
    source,
    path,
    size: Number(row.size),
    mtimeNs: row.mtimeNs,
    ctimeNs: row.ctimeNs,
    inode: inodeOfCell(row.inode),
    digest: row.sha256 === null ? undefined : { sha256: row.sha256.toString('hex'), crc32: Number(row.crc32) },
    attempts: Number(row.attempts),
    look: row.look === 'trust' && row.seq <= doubtfulSeq ? 'entry' : row.look,
    receipt: row.receiptSeq === null ? undefined : receiptOfClaim(row, row.receiptSeq),
    session: row.session === null || row.sessionSeq !== row.seq ? undefined : parseSession(row.session),
  }
}

export function deliveredWords({ receipt, sent }: Extract<Outcome, { kind: 'delivered' }>): string {
  const { size, sha256, path } = receipt
  return `${sent ? 'sent' : 'already there'}: ${size} bytes, sha256 ${sha256}, at ${path}`
}

function receiptOfClaim(row: ClaimRow, seq: bigint): StoredReceipt {
  const {
    receiptPath: path,
    remoteId,
    revision,
    receiptSize: size,
    receiptSha256: sha256,
    receiptMtimeNs: mtimeNs,
  } = row
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
