/** A certificate authority of one run and the certificates it signs for host names. Written in DER by hand: no program but Node is needed. */
import { createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'

export interface Certificate {
  readonly certificate: string
  readonly key: string
}

/** Valid from yesterday, so that a clock that is a little behind does not refuse it, for a week. Unit: ms. */
const dayMs = 24 * 3600 * 1000
const lifeDays = 7

export class CertificateAuthority {
  /** PEM, for who shall trust it. */
  readonly certificate: string
  readonly #key: KeyObject
  readonly #name = nameOf('Fanfold emulator, test only')
  readonly #made = new Map<string, Certificate>()

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.#key = privateKey
    const extensions = [
      extension(oids.basicConstraints, sequence(boolean(true)), true),
      // Signing of certificates: bit 5.
      extension(oids.keyUsage, bitString(Buffer.from([0x04]), 2), true),
    ]
    this.certificate = this.#sign(this.#name, publicKey, extensions)
  }

  for(host: string): Certificate {
    const made = this.#made.get(host) ?? this.#make(host)
    this.#made.set(host, made)
    return made
  }

  #make(host: string): Certificate {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const dnsName = tagged(0x82, Buffer.from(host, 'ascii'))
    const extensions = [
      extension(oids.subjectAltName, sequence(dnsName), false),
      extension(oids.extendedKeyUsage, sequence(objectId(oids.serverAuth)), false),
    ]
    const certificate = this.#sign(nameOf(host), publicKey, extensions)
    return { certificate, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
  }

  /** RFC 5280, section 4.1. */
  #sign(subject: Buffer, publicKey: KeyObject, extensions: readonly Buffer[]): string {
    const algorithm = sequence(objectId(oids.ecdsaWithSha256))
    const version3 = tagged(0xa0, integer(Buffer.from([2])))
    const serial = integer(Buffer.concat([Buffer.from([1]), randomBytes(15)]))
    const nowMs = Date.now()
    const life = sequence(utcTime(nowMs - dayMs), utcTime(nowMs + lifeDays * dayMs))
    const key = publicKey.export({ type: 'spki', format: 'der' })
    const wanted = tagged(0xa3, sequence(...extensions))
    const body = sequence(version3, serial, algorithm, this.#name, life, subject, key, wanted)
    const signature = createSign('sha256').update(body).sign(this.#key)
    return pem(sequence(body, algorithm, bitString(signature, 0)))
  }
}

const oids = {
  commonName: [2, 5, 4, 3],
  keyUsage: [2, 5, 29, 15],
  subjectAltName: [2, 5, 29, 17],
  basicConstraints: [2, 5, 29, 19],
  extendedKeyUsage: [2, 5, 29, 37],
  serverAuth: [1, 3, 6, 1, 5, 5, 7, 3, 1],
  ecdsaWithSha256: [1, 2, 840, 10045, 4, 3, 2],
} as const

function tagged(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content])
}

function lengthOf(bytes: number): Buffer {
  if (bytes < 0x80) return Buffer.from([bytes])
  return bytes < 0x100 ? Buffer.from([0x81, bytes]) : Buffer.from([0x82, bytes >> 8, bytes & 0xff])
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts))
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes)
}

function boolean(value: boolean): Buffer {
  return tagged(0x01, Buffer.from([value ? 0xff : 0]))
}

function bitString(bytes: Buffer, unusedBits: number): Buffer {
  return tagged(0x03, Buffer.concat([Buffer.from([unusedBits]), bytes]))
}

function utcTime(ms: number): Buffer {
  return tagged(0x17, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`))
}

function objectId([first = 0, second = 0, ...rest]: readonly number[]): Buffer {
  const bytes = rest.flatMap((arc) => {
    const digits = [arc & 0x7f]
    for (let left = arc >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80)
    return digits
  })
  return tagged(0x06, Buffer.from([40 * first + second, ...bytes]))
}

function nameOf(text: string): Buffer {
  const commonName = sequence(objectId(oids.commonName), tagged(0x0c, Buffer.from(text)))
  return sequence(tagged(0x31, commonName))
}

function extension(oid: readonly number[], value: Buffer, isCritical: boolean): Buffer {
  const critical = isCritical ? [boolean(true)] : []
  return sequence(objectId(oid), ...critical, tagged(0x04, value))
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}
