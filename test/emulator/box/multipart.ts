/** multipart/form-data as a stream (RFC 7578): parts in their order, their bytes as they come. What a part means is not said here. */

export interface FormReader {
  /** A part begins. */
  begin(name: string): void
  /** Bytes of the part that began last. */
  data(chunk: Buffer): void
  /** That part is whole. */
  end(): void
}

/** Headers of one part. Unit: bytes. */
const headBytesMax = 16 * 1024

/** A form that is none. */
export class FormFault extends Error {}

export function boundaryOf(contentType: string | undefined): string {
  const found = /^multipart\/form-data;.*\bboundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType ?? '')
  const boundary = found?.[1] ?? found?.[2]
  if (boundary === undefined) throw new FormFault('expected multipart/form-data with a boundary')
  return boundary
}

/** @throws FormFault where it breaks off or is no form */
export async function readForm(body: AsyncIterable<Buffer>, boundary: string, reader: FormReader): Promise<void> {
  const form = new Form(boundary, reader)
  for await (const chunk of body) form.take(chunk)
  form.finish()
}

class Form {
  readonly #delimiter: Buffer
  readonly #reader: FormReader
  /** The first delimiter has no line end before it. */
  #rest: Buffer = Buffer.from('\r\n')
  #state: 'preamble' | 'head' | 'data' | 'over' = 'preamble'

  constructor(boundary: string, reader: FormReader) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
    this.#reader = reader
  }

  take(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    while (this.#step()) continue
  }

  finish(): void {
    if (this.#state !== 'over') throw new FormFault('the form breaks off')
  }

  /** False when more bytes are needed. */
  #step(): boolean {
    if (this.#state === 'over') {
      this.#rest = Buffer.alloc(0)
      return false
    }
    return this.#state === 'head' ? this.#readHead() : this.#readData()
  }

  #readData(): boolean {
    const at = this.#rest.indexOf(this.#delimiter)
    const until = at >= 0 ? at : Math.max(0, this.#rest.length - this.#delimiter.length)
    if (until > 0 && this.#state === 'data') this.#reader.data(this.#rest.subarray(0, until))
    this.#rest = this.#rest.subarray(at >= 0 ? at + this.#delimiter.length : until)
    if (at < 0) return false
    if (this.#state === 'data') this.#reader.end()
    this.#state = 'head'
    return true
  }

  #readHead(): boolean {
    if (this.#rest.subarray(0, 2).toString('latin1') === '--') {
      this.#state = 'over'
      return true
    }
    const end = this.#rest.indexOf('\r\n\r\n')
    if (end < 0 && this.#rest.length > headBytesMax) throw new FormFault('a part has no end of its headers')
    if (end < 0) return false
    const head = this.#rest.subarray(0, end).toString('utf8')
    this.#rest = this.#rest.subarray(end + 4)
    const name = /content-disposition:[^\r\n]*\bname="([^"]*)"/i.exec(head)?.[1]
    if (name === undefined) throw new FormFault('a part has no name')
    this.#state = 'data'
    this.#reader.begin(name)
    return true
  }
}
