/** Seals what may be read by nobody who has the file alone: AES-256-GCM under a key of the service manager. Knows no login and no file. */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { z } from 'zod'
import { randomName } from '../base/random.ts'

/** As the cipher's standard advises (NIST SP 800-38D). Unit: bytes. */
const nonceBytes = 12

const sealedShape = z.object({ sealed: z.literal(1), nonce: z.string(), tag: z.string(), text: z.string() })

export class Seal {
  readonly #key: Uint8Array

  /** @param secret of any length, with at least 128 bits that nobody can guess. */
  constructor(secret: Uint8Array) {
    this.#key = new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(), 'fanfold login', 32))
  }

  /** @param place what the text belongs to: elsewhere it cannot be opened. */
  close(text: string, place: string): string {
    const nonce = Buffer.from(randomName(nonceBytes), 'hex')
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(place))
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    const [tag, body] = [cipher.getAuthTag(), sealed].map((bytes) => bytes.toString('base64'))
    return JSON.stringify({ sealed: 1, nonce: nonce.toString('base64'), tag, text: body })
  }

  /** @throws Error for another key, another place, or a text that was changed. */
  open(text: string, place: string): string {
    const { nonce, tag, text: body } = sealedShape.parse(JSON.parse(text))
    const [nonceOf, tagOf, bodyOf] = [nonce, tag, body].map((part) => Buffer.from(part, 'base64'))
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonceOf ?? '', { authTagLength: 16 })
    decipher.setAAD(Buffer.from(place)).setAuthTag(tagOf ?? Buffer.alloc(0))
    return Buffer.concat([decipher.update(bodyOf ?? Buffer.alloc(0)), decipher.final()]).toString('utf8')
  }
}

export function isSealed(text: string): boolean {
  return text.startsWith('{"sealed":')
}
