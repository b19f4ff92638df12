/** The door of the restore room: what can be had back, and bringing it back into a folder. */
export { Destination } from './destination.ts'
export { restorables, type ListingParts } from './listing.ts'
export { layout, Restoring, type Remark, type Tally } from './restoring.ts'
export type { Begin, CopyAt, Restorable, Wanted, Wish } from './wanted.ts'
