/** What the emulator holds for its one drive, its switches, and how the kinds of drives differ. */
import { randomBytes } from 'node:crypto'
import type { ByteStore, StoredBytes } from '../core/bytes.ts'
import type { MovableClock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { keyOf, type DriveKind } from './names.ts'
import { full, notFound } from './refusal.ts'
import type { Sessions, SessionRules } from './sessions.ts'
import type { FileItem, FolderItem, Item, Times, Tree, TreeRules } from './tree.ts'

/** Switches: where the kinds of drives differ, where the real answer is not known, and where a test wants a small world. */
export interface OneDriveRules extends TreeRules, SessionRules {
  /** Entries of a page when the client names no number, and the most it may name. */
  readonly pageEntries: number
  readonly pageEntriesMax: number
  /** Most that one PUT of content takes. Unit: bytes. */
  readonly simpleBytesMax: number
  /** What a path below a missing folder does; not known. Default 'refuse'. */
  readonly missingParents: 'refuse' | 'create'
  /** Whether old clients find the sha1 of a personal drive, withdrawn in 2023. Default false. */
  readonly hasSha1: boolean
  /** SharePoint writes its own marks into documents. */
  readonly rewritesDocuments: boolean
  /** Whether an item can be deleted past the bin, and a version at all. */
  readonly deletesForEver: boolean
  /** Whether a login that sees its app's folder only may ask for the drive; not known. Default false. */
  readonly appSeesDrive: boolean
  /** Whether changes of a folder below the root can be asked for. */
  readonly deltaOfFolders: boolean
  /** Times are kept to the second. */
  readonly wholeSeconds: boolean
}

const gibibyte = 2 ** 30
const minuteMs = 60_000

export function rulesOf(driveType: DriveKind): OneDriveRules {
  const isPersonal = driveType === 'personal'
  return {
    driveType,
    foldsUnicode: false,
    quotaBytes: 1024 * gibibyte,
    patchMakesVersion: !isPersonal,
    pageEntries: 200,
    pageEntriesMax: 1000,
    simpleBytesMax: 250_000_000,
    missingParents: 'refuse',
    hasSha1: false,
    rewritesDocuments: !isPersonal,
    deletesForEver: !isPersonal,
    appSeesDrive: false,
    deltaOfFolders: isPersonal,
    wholeSeconds: !isPersonal,
    reservesNames: !isPersonal,
    // The lifetime of a personal session is not known.
    sessionMs: isPersonal ? 7 * 24 * 60 * minuteMs : 15 * minuteMs,
    urlMs: 12 * 60 * minuteMs,
    refusesBearer: false,
    alignsFragments: false,
    fragmentBytesMax: 60 * 2 ** 20,
    fileBytesMax: 250 * gibibyte,
    commits: isPersonal ? 'put' : 'either',
  }
}

export class Drive {
  rules: OneDriveRules
  readonly id: string
  readonly store: ByteStore
  readonly tree: Tree
  readonly sessions: Sessions
  readonly clock: MovableClock
  /** Downloads, and copies under way, by what their addresses carry. */
  readonly downloads = new Map<
    string,
    { readonly bytes: StoredBytes; readonly item: FileItem; readonly endMs: number }
  >()
  #rewritten = 0

  constructor(parts: Pick<Drive, 'rules' | 'id' | 'store' | 'tree' | 'sessions' | 'clock'>) {
    this.rules = parts.rules
    this.id = parts.id
    this.store = parts.store
    this.tree = parts.tree
    this.sessions = parts.sessions
    this.clock = parts.clock
  }

  get isPersonal(): boolean {
    return this.rules.driveType === 'personal'
  }

  obey(rules: OneDriveRules): void {
    this.rules = rules
    this.tree.rules = rules
    this.sessions.rules = rules
  }

  /** Personal ids come with letters of either case and without a leading zero. */
  isCalled(id: string): boolean {
    const plain = (text: string): string => (this.isPersonal ? text.toLowerCase().padStart(16, '0') : text)
    return plain(id) === plain(this.id)
  }

  /** The app's own folder, made when it is first asked for. */
  appFolder(): FolderItem {
    const { folder: apps } = this.tree.makeFolder(this.tree.root, 'Apps', 'replace')
    return this.tree.makeFolder(apps, 'Fanfold', 'replace').folder
  }

  /** The folder of these names. @throws Refused */
  folderFor(start: Item, names: readonly string[]): FolderItem {
    let folder = start
    for (const name of names) {
      if (folder.kind !== 'folder') throw notFound()
      const found = this.tree.child(folder, name)
      if (found === undefined && this.rules.missingParents === 'refuse') throw notFound()
      folder = found ?? this.tree.makeFolder(folder, name, 'fail').folder
    }
    if (folder.kind !== 'folder') throw notFound()
    return folder
  }

  /** What the drive makes of a content that was brought. @throws Refused */
  commit(
    parent: FolderItem,
    name: string,
    content: {
      readonly bytes: StoredBytes
      readonly times: Partial<Times>
      readonly conflict: 'fail' | 'replace' | 'rename'
    },
    exchange: Exchange,
  ): { readonly file: FileItem; readonly isNew: boolean } {
    if (exchange.behaves('full') !== undefined) throw full()
    const isDocument =
      this.rules.rewritesDocuments && isOfficeDocument(name, this.store.readWhole.bind(this.store), content.bytes)
    const isRewritten = isDocument || exchange.behaves('rewrite') !== undefined
    const bytes = isRewritten ? this.#rewrite(content.bytes) : content.bytes
    return this.tree.put(parent, name, { ...content, bytes })
  }

  /** Where a file's bytes can be had without a login, for an hour. */
  downloadOf(item: FileItem, bytes: StoredBytes): string {
    const token = randomBytes(18).toString('base64url')
    this.downloads.set(token, { bytes, item, endMs: this.clock.nowMs() + 60 * minuteMs })
    const [oldest] = this.downloads.keys()
    if (this.downloads.size > downloadsMax && oldest !== undefined) this.downloads.delete(oldest)
    return token
  }

  hasSameName(one: string, other: string): boolean {
    return keyOf(one, this.rules) === keyOf(other, this.rules)
  }

  /** Never twice the same. */
  #rewrite(bytes: StoredBytes): StoredBytes {
    this.#rewritten += 1
    return this.store.put(Buffer.concat([this.store.readWhole(bytes), Buffer.from(`\nrewritten ${this.#rewritten}`)]))
  }
}

/** Addresses of downloads that are good at once. */
const downloadsMax = 20_000
/** A document of this size is rewritten by no emulator. Unit: bytes. */
const documentBytesMax = 16 * 2 ** 20

/** By its name and its first bytes: a zip. */
function isOfficeDocument(name: string, read: (bytes: StoredBytes) => Buffer, bytes: StoredBytes): boolean {
  if (!/\.(docx|xlsx|pptx)$/i.test(name) || bytes.size > documentBytesMax) return false
  return read(bytes).subarray(0, 4).equals(Buffer.from('PK\x03\x04'))
}
