/** What each provider's names may be, as data (F52). How a name is brought to obey is `names.ts`. */

/** A place for names: one provider's folders. */
export interface NameRules {
  /** For people. */
  readonly provider: string
  /** ASCII characters that are substituted wherever they stand. `/` and the zero byte are in no name of Linux. */
  readonly anywhere: string
  /** Substituted where they begin a name. */
  readonly first: string
  /** Substituted where they end a name. */
  readonly last: string
  /** Refused names and sequences: the first character of each match is written as its bytes. Flags `g` and mostly `i`. */
  readonly reserved: readonly RegExp[]
  /** As `reserved`, for what lies directly below the provider's own root. */
  readonly reservedAtRoot: readonly RegExp[]
  /** Longest name, UTF-16 units: the strictest reading where a provider says "characters", since code points are never more. */
  readonly nameUnitsMax: number
  /** Longest path with its slashes, from the provider's own root on, UTF-16 units. */
  readonly pathUnitsMax: number
  /** Which names the provider takes for one: all that have one key. `exact` names may even repeat in one folder. */
  readonly key: 'exact' | 'folded-nfc' | 'folded-nfkc'
}

const controls = String.fromCharCode(...Array.from({ length: 0x1f }, (_, at) => at + 1))
const noLimit = Number.POSITIVE_INFINITY

/**
 * Source: Dropbox, developer guide and error `disallowed_name`; rclone's default encoding for Dropbox.
 * Line feeds and other control characters are legal there, and so are Windows' characters.
 */
const dropbox: NameRules = {
  provider: 'Dropbox',
  anywhere: '\\\x7f',
  first: '',
  last: ' ',
  reserved: [/^(?:desktop\.ini|thumbs\.db|\.ds_store|icon\r|\.dropbox|\.dropbox\.attr)$/gi],
  reservedAtRoot: [],
  nameUnitsMax: 255,
  pathUnitsMax: noLimit,
  key: 'folded-nfc',
}

/**
 * Accounts were seen that refuse what lies beyond Unicode's first plane, most emoji among them, by `malformed_path` (rclone #6199).
 * Each such character goes as its bytes.
 */
const dropboxFirstPlane: NameRules = { ...dropbox, reserved: [...dropbox.reserved, /[\u{10000}-\u{10ffff}]/gu] }

/**
 * Source: Drive takes any Unicode string, any number of times in one folder; only bytes that are no UTF-8 have no place in
 * its JSON. No limit of length is documented: the longest that a Linux name can become here is 765 units, and goes.
 */
const googleDrive: NameRules = {
  provider: 'Google Drive',
  anywhere: '',
  first: '',
  last: '',
  reserved: [],
  reservedAtRoot: [],
  nameUnitsMax: noLimit,
  pathUnitsMax: noLimit,
  key: 'exact',
}

/** Source: Box API errors `item_name_invalid`, `item_name_too_long`; its check before an upload compares by NFKC. */
const box: NameRules = {
  provider: 'Box',
  anywhere: `\\\x7f${controls}`,
  first: '',
  last: ' ',
  reserved: [],
  reservedAtRoot: [],
  nameUnitsMax: 255,
  pathUnitsMax: noLimit,
  key: 'folded-nfkc',
}

/**
 * Source: Microsoft, "Restrictions and limitations in OneDrive and SharePoint". `&#38;` and the like were refused in practice.
 * Whether OneDrive takes NFC and NFD for one is not documented; it is treated as if it did.
 */
const oneDrive: NameRules = {
  provider: 'OneDrive',
  anywhere: `"*:<>?|\\\x7f${controls}`,
  first: ' ~',
  last: ' .',
  reserved: [
    /^(?:\.lock|desktop\.ini)$/gi,
    /^(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/gi,
    // A look ahead, so that each of two overlapping ones is found.
    /_(?=vti_)/gi,
    /&(?=#\w+;)/g,
  ],
  reservedAtRoot: [],
  nameUnitsMax: 255,
  pathUnitsMax: 400,
  key: 'folded-nfc',
}

const sharePoint: NameRules = { ...oneDrive, provider: 'SharePoint', reservedAtRoot: [/^forms$/gi] }

export const nameRules = {
  dropbox,
  dropboxFirstPlane,
  googleDrive,
  box,
  oneDrive,
  sharePoint,
} as const satisfies Record<string, NameRules>
