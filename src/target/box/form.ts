/** The form of an upload in one call: attributes, which must come first, then the bytes as they are read. */
import type { Call } from '../transport/transport.ts'

export interface Form {
  readonly type: string
  readonly length: number
  /** Before the first byte of the content. */
  readonly headBytes: number
  readonly body: NonNullable<Call['body']>
}

/** RFC 2046 allows 70 characters for all of it. */
const keyCharacters = 48

/**
 * @param key what no content of this copy holds: a digest of it. The server takes for the end what looks like the boundary.
 * @param content made anew for each try.
 */
export function uploadForm(
  attributes: unknown,
  content: { readonly bytes: number; readonly open: () => AsyncIterable<Uint8Array> },
  key: string,
): Form {
  const line = `----fanfold${key.slice(0, keyCharacters)}`
  const head = Buffer.from(
    `--${line}\r\nContent-Disposition: form-data; name="attributes"\r\nContent-Type: application/json\r\n\r\n` +
      `${JSON.stringify(attributes)}\r\n--${line}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n` +
      'Content-Type: application/octet-stream\r\n\r\n',
  )
  const tail = Buffer.from(`\r\n--${line}--\r\n`)
  async function* body(): AsyncGenerator<Uint8Array> {
    yield head
    yield* content.open()
    yield tail
  }
  const length = head.length + content.bytes + tail.length
  return { type: `multipart/form-data; boundary=${line}`, length, headBytes: head.length, body }
}
