/** Bodies of `multipart/related`: a first part of JSON, and a second of bytes that may be many. Knows no file. */
import { invalid } from './refusal.ts'

/** Of the first part. Unit: bytes. */
const headBytesMax = 256 * 1024

/**
 * Reads both parts; the bytes of the second go to `take` as they come. Answers the first.
 * @throws Refused for a body that is not of this form
 */
export async function readMultipart(
  contentType: string,
  body: AsyncIterable<Buffer>,
  take: (chunk: Buffer) => void,
): Promise<{ readonly json: string; readonly contentType: string | undefined }> {
  const boundary = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType)
  const name = boundary?.[1] ?? boundary?.[2]
  if (name === undefined) throw invalid('Missing boundary')
  const reader = new Reader(body)
  const delimiter = `\r\n--${name}`
  // The first delimiter has no line before it.
  reader.unread(Buffer.from('\r\n'))
  await reader.until(delimiter, () => {})
  await reader.head()
  const json: Buffer[] = []
  let jsonBytes = 0
  await reader.until(delimiter, (chunk) => {
    jsonBytes += chunk.length
    if (jsonBytes > headBytesMax) throw invalid('The metadata part is too long.')
    json.push(chunk)
  })
  const head = await reader.head()
  await reader.until(delimiter, take)
  return { json: Buffer.concat(json).toString('utf8'), contentType: /content-type:\s*([^\r\n;]+)/i.exec(head)?.[1] }
}

class Reader {
  readonly #chunks: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(body: AsyncIterable<Buffer>) {
    this.#chunks = body[Symbol.asyncIterator]()
  }

  unread(bytes: Buffer): void {
    this.#rest = Buffer.concat([bytes, this.#rest])
  }

  /** Lines up to an empty one. */
  async head(): Promise<string> {
    const lines: Buffer[] = []
    await this.until('\r\n\r\n', (chunk) => lines.push(chunk))
    return Buffer.concat(lines).toString('latin1')
  }

  /** Everything before `mark`, which is passed over. */
  async until(mark: string, take: (chunk: Buffer) => void): Promise<void> {
    const sought = Buffer.from(mark)
    for (;;) {
      const at = this.#rest.indexOf(sought)
      if (at >= 0) {
        if (at > 0) take(this.#rest.subarray(0, at))
        this.#rest = this.#rest.subarray(at + sought.length)
        return
      }
      const sure = this.#rest.length - sought.length + 1
      if (sure > 0) {
        take(this.#rest.subarray(0, sure))
        this.#rest = this.#rest.subarray(sure)
      }
      const next = await this.#chunks.next()
      if (next.done === true) throw invalid('Missing end boundary in multipart body.')
      this.#rest = this.#rest.length === 0 ? next.value : Buffer.concat([this.#rest, next.value])
    }
  }
}
