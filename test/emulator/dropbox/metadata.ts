/** Nodes as Dropbox's JSON: with `.tag` where the static type is Metadata, without where it is the file's or the folder's own. */
import type { Exchange } from '../core/exchange.ts'
import { displayOf, type FileNode, type FolderNode, lastRevision, lowerOf, type Node, type Revision } from './tree.ts'

type Json = Readonly<Record<string, unknown>>

export function fileMetadata(file: FileNode, exchange: Exchange, revision: Revision = lastRevision(file)): Json {
  return {
    ...namesOf(file),
    id: file.id,
    client_modified: revision.clientModified,
    server_modified: revision.serverModified,
    rev: revision.rev,
    size: revision.bytes.size,
    is_downloadable: true,
    ...contentHash(revision, exchange),
  }
}

export function folderMetadata(folder: FolderNode): Json {
  return { ...namesOf(folder), id: folder.id }
}

export function metadata(node: Node, exchange: Exchange): Json {
  return node.kind === 'file'
    ? { '.tag': 'file', ...fileMetadata(node, exchange) }
    : { '.tag': 'folder', ...folderMetadata(node) }
}

export function deletedMetadata({ lower, display }: { readonly lower: string; readonly display: string }): Json {
  return {
    '.tag': 'deleted',
    name: display.slice(display.lastIndexOf('/') + 1),
    path_lower: lower,
    path_display: display,
  }
}

function namesOf(node: Node): Json {
  return { name: node.name, path_lower: lowerOf(node), path_display: displayOf(node) }
}

/** Declared optional, so that a client has to bear its absence. */
function contentHash({ bytes }: Revision, exchange: Exchange): Json {
  if (exchange.behaves('no-hash') !== undefined) return {}
  const hash = bytes.hashes.dropbox ?? ''
  return { content_hash: exchange.behaves('wrong-hash') === undefined ? hash : 'f'.repeat(hash.length) }
}
