/** Where a call really goes, and how it is shown: hosts redirected by configuration, and URLs without their secrets. */
import { OwnerError } from '../../base/errors.ts'

/** Real host (`api.dropboxapi.com`) -> base URL that takes its place. */
export type Endpoints = Readonly<Record<string, string>>

export interface Address {
  readonly origin: string
  readonly path: string
  /** Without query; the host alone where the URL itself is a right. */
  readonly shown: string
}

export class Addresses {
  readonly #bases: ReadonlyMap<string, URL>
  readonly #clearOrigins: ReadonlySet<string>

  constructor(endpoints: Endpoints) {
    this.#bases = new Map(Object.entries(endpoints).map(([host, base]) => [host, new URL(base)]))
    this.#clearOrigins = new Set([...this.#bases.values()].map(({ origin }) => origin))
  }

  /** @throws OwnerError for a URL that would go in the clear to somebody configuration does not name. */
  of(url: string, isSecret: boolean): Address {
    const real = parseUrl(url)
    const base = this.#bases.get(real.host)
    const path = `${base === undefined ? '' : base.pathname.replace(/\/$/, '')}${real.pathname}${real.search}`
    const origin = (base ?? real).origin
    if (!origin.startsWith('https://') && !this.#clearOrigins.has(origin))
      throw new OwnerError(`expected an https URL, got one of ${real.host} that is not; nothing was sent`)
    return { origin, path, shown: isSecret ? real.host : `${real.host}${real.pathname}` }
  }
}

/** Node's own error repeats the whole text, secrets included. */
function parseUrl(url: string): URL {
  if (!URL.canParse(url)) throw new OwnerError(`expected a URL, got a text of ${url.length} characters that is none`)
  return new URL(url)
}
