/** A small file in one call: its metadata and its bytes as one body of known length, which breaks off where the bytes are not those digested. */
import type { drive_v3 } from 'googleapis/build/src/apis/drive/index.js'
import { nothingRead, type Proof } from '../source-file.ts'
import { type DriveApi, metadataType, uploadCall } from './api.ts'
import type { FileNode } from './metadata.ts'
import { Md5 } from './md5.ts'
import { type Errand, noFile } from './errand.ts'

/** In no file: 128 bits of chance would do, a text that is ours does as well, since the length says where the bytes end. */
const boundary = 'fanfold-6d0c2a9e1b7f4853'

export interface Uploaded {
  readonly node: FileNode
  readonly proof: Proof<Md5>
}

/** @param of the file whose content is replaced. @throws Refused, TransportError: it may be there all the same. */
export async function uploadSmall(
  api: DriveApi,
  { copy, source, work, verb, progress, folder }: Errand,
  { metadata, of }: { readonly metadata: drive_v3.Schema$File; readonly of: string | undefined },
  signal: AbortSignal,
): Promise<Uploaded> {
  const { size } = copy
  const head = Buffer.from(
    `--${boundary}\r\nContent-Type: ${metadataType}\r\n\r\n${JSON.stringify(metadata)}\r\n` +
      `--${boundary}\r\nContent-Type: application/octet-stream\r\n\r\n`,
  )
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`)
  await work.allow(size, signal)
  let proof = nothingRead(Md5.ofNothing())
  async function* body(): AsyncGenerator<Uint8Array> {
    yield head
    yield* source.pieces(nothingRead(Md5.ofNothing()), size, (last) => (proof = last))
    yield tail
  }
  const sending = {
    ...uploadCall(of, 'multipart'),
    headers: { 'content-type': `multipart/related; boundary=${boundary}` },
    body,
    length: head.length + size + tail.length,
    isUpload: true,
    progress: (sent: number) => progress(Math.min(Math.max(sent - head.length, 0), size)),
  }
  const answer = await api.send(sending, signal)
  if (answer.status !== 200 || answer.content.kind !== 'json') throw api.refusedAnswer(verb, answer)
  const node = api.nodeOf(verb, answer.content.value, of === undefined ? folder : undefined)
  if (node?.kind !== 'file') throw noFile(api.what(verb))
  return { node, proof }
}
