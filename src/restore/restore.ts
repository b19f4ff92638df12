/** The door of the restore room: what can be had back, and bringing it back into a folder. */
export { Destination } from './destination.ts'
export { restorables } from './listing.ts'
export { layout, Restoring, type Tally } from './restoring.ts'
export type { CopyAt, Restorable, Wanted, Wish } from './wanted.ts'
