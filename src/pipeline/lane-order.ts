/** What a configuration tells a lane to do, and what can be changed while it goes on. */
import type { RemotePath } from '../base/path.ts'
import type { Delivery } from '../journal/journal.ts'
import type { OnRemove } from './attempt.ts'
import type { OnConflict } from './conflict.ts'
import type { Layout } from './remote-path.ts'
import type { Selector } from './selector.ts'

/** What a lane does: replaced as a whole when the configuration changes, while the lane goes on. */
export interface LaneOrder {
  readonly selector: Selector
  readonly placeAt: (delivery: Pick<Delivery, 'source' | 'path' | 'mtimeNs'>) => RemotePath
  readonly layout: Layout
  /** Where a copy goes for a moment to make room for another one, among this Fanfold's own. */
  readonly asideAt: (fileId: number) => RemotePath
  /** Deliveries under way at once, at most. */
  readonly slotsMax: number
  /** What becomes of copies whose file is gone. */
  readonly onRemove: OnRemove
  /** What becomes of what somebody else left in a copy's place. */
  readonly onConflict: OnConflict
}
