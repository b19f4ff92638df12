/** Reads what a target holds into a listing, and says where that proves what the journal believes. A listing proves; it never condemns. */
import type { RemotePath } from '../base/path.ts'
import type { Listed, Listing, StoredReceipt } from '../journal/journal.ts'
import type { Target } from '../target/target.ts'

/** Entries written into a listing at once: some ms of the main loop. */
const entriesAtOnce = 250
const wholeTarget = '' as RemotePath

/** Fills a listing with all that a target holds, a bounded number of entries in memory; says how many there are so far. */
export async function* survey(
  target: Pick<Target, 'list'>,
  listing: Listing,
  signal: AbortSignal,
): AsyncGenerator<number, void, undefined> {
  let page: Listed[] = []
  let count = 0
  const write = (): number => {
    listing.add(page)
    count += page.length
    page = []
    return count
  }
  yield 0
  for await (const entry of target.list(wholeTarget, { hash: false }, signal)) {
    page.push(entry)
    if (page.length >= entriesAtOnce) yield write()
  }
  yield write()
}

/** The very version that was delivered, where it was put. */
export function isAsDelivered(entry: Listed, receipt: StoredReceipt): boolean {
  return entry.path === receipt.path && entry.remoteId === receipt.remoteId && isVersion(entry, receipt)
}

export function isVersion(entry: Pick<Listed, 'revision' | 'size' | 'sha256'>, receipt: StoredReceipt): boolean {
  const isSameContent = entry.sha256 === undefined || entry.sha256 === receipt.sha256
  return isSameContent && entry.size === receipt.size && entry.revision === receipt.revision
}

/**
 * Whether a listing proves a receipt. What changed after the listing began has another revision, there or in the receipt, and is not proven.
 */
export function provenBy(listedAt: (path: string) => Listed | undefined): (receipt: StoredReceipt) => boolean {
  return (receipt) => {
    const entry = listedAt(receipt.path)
    return entry !== undefined && isAsDelivered(entry, receipt)
  }
}
