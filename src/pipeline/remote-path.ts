/** Where a copy goes below its target's root: the `at` template. Names a target cannot hold are the target's worry. */
import { nameOf, remotePath, type RemotePath, type SourcePath } from '../base/path.ts'

export interface Placed {
  readonly source: string
  readonly path: SourcePath
  readonly mtimeNs: bigint
}

/** The folder that holds all copies of one Fanfold, whatever their sources and dates: the leading names of a template that are the same for all. */
export function ownFolder(template: string, host: string): RemotePath {
  const folders = template
    .split('/')
    .filter((part) => part !== '')
    .slice(0, -1)
  const end = folders.findIndex((part) => /\{(?!host\})\w+\}/.test(part))
  return remotePath((end < 0 ? folders : folders.slice(0, end)).join('/').replaceAll('{host}', host))
}

/** How a target's copies lie, as far as folders of a source are concerned. */
export type Layout =
  /** A folder of a source is a folder there, of its own or `shared` with what other sources have at that path. */
  | { readonly kind: 'own' | 'shared'; readonly folderAt: (source: string, folder: SourcePath) => RemotePath }
  /** The files of one folder lie in several. */
  | { readonly kind: 'scattered' }
  /** Where a file lies does not depend on its folder. */
  | { readonly kind: 'regardless' }

export function layoutOf(template: string, host: string): Layout {
  if (!template.includes('{path}')) return { kind: 'regardless' }
  const isWhole = /^(?:.*\/)?\{path\}$/.test(template) && !/\{(?!source\}|host\}|path\})\w+\}/.test(template)
  if (!isWhole || template.indexOf('{path}') !== template.lastIndexOf('{path}')) return { kind: 'scattered' }
  const at = placeAt(template, host)
  const folderAt = (source: string, path: SourcePath): RemotePath => at({ source, path, mtimeNs: 0n })
  return { kind: /(?:^|\/)\{source\}\//.test(template) ? 'own' : 'shared', folderAt }
}

/** Fills a template such as `{source}/{path}`. Dates are of the last modification, in UTC, so that a move of the host moves no copy. */
export function placeAt(template: string, host: string): (file: Placed) => RemotePath {
  return ({ source, path, mtimeNs }) => {
    const name = nameOf(path)
    const dot = name.lastIndexOf('.')
    const date = new Date(Number(mtimeNs / 1_000_000n))
    const fields: Readonly<Record<string, string>> = {
      source,
      path,
      name,
      host,
      ext: dot > 0 ? name.slice(dot + 1) : '',
      yyyy: String(date.getUTCFullYear()),
      mm: String(date.getUTCMonth() + 1).padStart(2, '0'),
      dd: String(date.getUTCDate()).padStart(2, '0'),
    }
    const filled = template.replace(/\{(\w+)\}/g, (whole, field: string) => fields[field] ?? whole)
    return remotePath(
      filled
        .split('/')
        .filter((part) => part !== '')
        .join('/'),
    )
  }
}
