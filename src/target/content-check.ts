/** Content on its way from a cloud, held against a hash. What the hash should be, and what a wrong one means, is said by who asked. */
import { createHash } from 'node:crypto'
import { pipeline, type Readable, Transform } from 'node:stream'

/** The same bytes, each shown to `hash`. @param end asked behind the last one: null where they are right. */
export function checkedContent(
  stream: Readable,
  hash: { update(bytes: Uint8Array): unknown },
  end: () => Error | null,
): Readable {
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
    flush(done) {
      done(end())
    },
  })
  // Failures reach the reader through `check` itself.
  return pipeline(stream, check, () => undefined)
}

/** Of all of it: a sha256 that a cloud does not know costs a download. */
export async function sha256Of(stream: Readable): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of stream) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
