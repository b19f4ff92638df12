/** A file in one call: a new one or a new version. What it meets at Box is looked at, and decided again. */
import { nothingRead } from '../source-file.ts'
import { TargetError } from '../target.ts'
import type { BoxApi } from './api.ts'
import { type Aim, type Errand, type Finisher, isLost } from './errand.ts'
import { unhashed } from './hashes.ts'
import { isGone, Refused } from './errors.ts'
import { uploadForm } from './form.ts'
import { type FileNode, fileFields, parseConflict, parseUploaded } from './metadata.ts'
import { inTheWay, type Places } from './places.ts'
import { boxTime } from './times.ts'

/** Looks again when somebody else wrote meanwhile; who loses so often leaves it to the lane. */
const triesMax = 4

interface DirectParts {
  readonly api: BoxApi
  readonly places: Places
  readonly errand: Errand
  readonly finisher: Finisher
}

/** What a refusal leads to: the copy is there already, or it goes elsewhere. */
type Turn =
  { readonly kind: 'there'; readonly node: FileNode } | { readonly kind: 'aim'; readonly aim: Aim | 'plain' | 'twin' }

export class DirectUpload {
  readonly #parts: DirectParts

  constructor(parts: DirectParts) {
    this.#parts = parts
  }

  /** @param first `plain`: a new file of its plain name, wherever its folder is. */
  async send(first: Aim | 'plain', signal: AbortSignal): Promise<FileNode> {
    const { errand, api } = this.#parts
    let aim: Aim | 'plain' | 'twin' = first
    for (let tries = 0; tries < triesMax; tries++) {
      const turn = await this.#tried(aim, signal)
      if (turn.kind === 'there') return turn.node
      ;({ aim } = turn)
    }
    throw new TargetError({ kind: 'retry' }, `${api.what(errand.verb)}: somebody else writes there; it is tried again`)
  }

  #tried(aim: Aim | 'plain' | 'twin', signal: AbortSignal): Promise<Turn> {
    const { places, errand } = this.#parts
    const anew = (spot: { readonly folderId: string; readonly name: string }): Promise<Turn> =>
      this.#once({ kind: 'new', ...spot }, aim === 'twin', signal)
    if (aim === 'plain') return places.atPlain(errand.at, anew, signal)
    if (aim === 'twin') return places.besideTwin(errand.at, anew, signal)
    return this.#once(aim, false, signal)
  }

  async #once(aim: Aim, isTwin: boolean, signal: AbortSignal): Promise<Turn> {
    const { finisher } = this.#parts
    try {
      const sha1 = await finisher.sha1(signal)
      const node = await finisher.proven(await this.#call(aim, sha1, signal), sha1, signal)
      return { kind: 'there', node }
    } catch (thrown) {
      if (signal.aborted) throw thrown
      return this.#afterRefusal(thrown, aim, isTwin, signal)
    }
  }

  async #call(aim: Aim, sha1: string, signal: AbortSignal): Promise<FileNode> {
    const { api, errand } = this.#parts
    const { copy, work, source, verb, progress } = errand
    await work.allow(copy.size, signal)
    const time = boxTime(copy.mtimeNs)
    const timed = time === undefined ? {} : { content_modified_at: time }
    const attributes = aim.kind === 'new' ? { name: aim.name, parent: { id: aim.folderId }, ...timed } : timed
    const open = (): AsyncIterable<Uint8Array> => source.pieces(nothingRead(unhashed), copy.size, () => undefined)
    const form = uploadForm(attributes, { bytes: copy.size, open }, copy.sha256)
    const query = new URLSearchParams({ fields: fileFields.join(',') }).toString()
    const path = aim.kind === 'new' ? '/files/content' : `/files/${encodeURIComponent(aim.id)}/content`
    const answer = await api.request(
      verb,
      {
        method: 'POST',
        host: 'upload',
        path: `${path}?${query}`,
        headers: {
          'content-type': form.type,
          // Box's name for a SHA-1 in hex: what was damaged on its way is refused.
          'content-md5': sha1,
          ...(aim.kind === 'new' ? {} : { 'if-match': aim.etag }),
        },
        body: form.body,
        length: form.length,
        isUpload: true,
        progress: (sent) => progress(Math.max(0, Math.min(sent - form.headBytes, copy.size))),
      },
      signal,
    )
    return parseUploaded(api.what(verb), answer)
  }

  async #afterRefusal(thrown: unknown, aim: Aim, isTwin: boolean, signal: AbortSignal): Promise<Turn> {
    const isConflict = thrown instanceof Refused && thrown.code === 'item_name_in_use' && aim.kind === 'new'
    if (isConflict) return this.#conflict(thrown, aim, isTwin, signal)
    const isOther = thrown instanceof Refused && (thrown.status === 412 || isGone(thrown))
    if (aim.kind === 'version' && (isOther || isLost(thrown))) return this.#otherVersion(thrown, aim, signal)
    if (aim.kind === 'new' && isLost(thrown)) return this.#maybeThere(thrown, aim, signal)
    throw thrown
  }

  /** A name that is taken tells by what (F64). */
  async #conflict(thrown: Refused, aim: Aim & { kind: 'new' }, isTwin: boolean, signal: AbortSignal): Promise<Turn> {
    const { api, errand, places } = this.#parts
    const what = api.what(errand.verb)
    const held = parseConflict(what, thrown)
    if (held.name !== aim.name) {
      if (isTwin) throw inTheWay(what, 'another name that Box takes for this one is')
      return { kind: 'aim', aim: 'twin' }
    }
    if (held.kind === 'folder') throw inTheWay(what, 'a folder of that name is')
    const node = await places.file(held.id, errand.verb, signal)
    return node === undefined ? { kind: 'aim', aim } : this.#over(node, signal)
  }

  async #otherVersion(thrown: unknown, aim: Aim & { kind: 'version' }, signal: AbortSignal): Promise<Turn> {
    const { errand, places } = this.#parts
    const node = await places.fileAt(aim.id, errand.at, errand.verb, signal)
    if (node === undefined) return { kind: 'aim', aim: 'plain' }
    const turn = await this.#over(node, signal)
    // Nothing came of an answer that was lost: the lane says when it is tried again.
    if (turn.kind === 'aim' && isLost(thrown)) throw thrown
    return turn
  }

  async #maybeThere(thrown: unknown, { folderId, name }: Aim & { kind: 'new' }, signal: AbortSignal): Promise<Turn> {
    const { errand, places } = this.#parts
    const held = await places.held({ folderId, name }, signal)
    const isOurs = held?.name === name && held.kind === 'file'
    const node = isOurs ? await places.file(held.id, errand.verb, signal) : undefined
    const turn = node === undefined ? undefined : await this.#over(node, signal)
    if (turn?.kind !== 'there') throw thrown
    return turn
  }

  /** What lies there and was looked at now: our content, or the version whose place ours takes. */
  async #over(node: FileNode, signal: AbortSignal): Promise<Turn> {
    const { finisher } = this.#parts
    if (!(await finisher.isThere(node, signal))) {
      return { kind: 'aim', aim: { kind: 'version', id: node.id, etag: node.etag } }
    }
    return { kind: 'there', node: await finisher.settled(node, signal) }
  }
}
