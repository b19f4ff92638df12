/** The page's own files as they go to a browser: markup and style from this program, modules as they were compiled. Nothing else can be had. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { icon } from './icon.ts'
import { markup } from './markup.ts'
import { style } from './style.ts'

/** What the page is made of. A module of base may be one where it knows nothing of Node. */
const modules = [
  ...['accounts', 'actions', 'connection', 'dom', 'history', 'lanes', 'main', 'parked', 'plot', 'rates', 'search'],
  ...['sources', 'verdict'],
].map((name) => `page/browser/${name}.js`)

const built = new URL('../', import.meta.url)

export interface Asset {
  readonly type: string
  readonly body: string
  /** Names these very bytes. */
  readonly tag: string
}

const assets = new Map<string, () => Asset>([
  ['/', once('text/html; charset=utf-8', () => markup)],
  ['/page.css', once('text/css; charset=utf-8', () => style)],
  ['/icon.svg', once('image/svg+xml', () => icon)],
  ...[...modules, 'base/units.js'].map((path): [string, () => Asset] => [
    `/modules/${path}`,
    once('text/javascript; charset=utf-8', () => readFileSync(new URL(path, built), 'utf8')),
  ]),
])

/** What stands at a path; undefined where nothing does. */
export function assetAt(path: string): Asset | undefined {
  return assets.get(path)?.()
}

/** Made when it is asked for first. */
function once(type: string, text: () => string): () => Asset {
  let asset: Asset | undefined
  return () => (asset ??= assetOf(type, text()))
}

function assetOf(type: string, body: string): Asset {
  return { type, body, tag: `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"` }
}
