/** A SHA-256 whose state can be written down and gone on with in another process, which Node's cannot. For few bytes: it is slow. */

/** SHA-256 works on so many bytes at a time (FIPS 180-4). */
const blockBytes = 64

const primes = firstPrimes(64)
const initial = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)))
const constants = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)))

/** The first 32 bits behind the point. */
function fraction(value: number): number {
  return Math.floor((value % 1) * 2 ** 32) | 0
}

function firstPrimes(count: number): number[] {
  const found: number[] = []
  for (let candidate = 2; found.length < count; candidate++) {
    if (found.every((prime) => candidate % prime !== 0)) found.push(candidate)
  }
  return found
}

export class RunningSha256 {
  #state = initial.slice()
  /** What is not a whole block yet, less than 64 bytes. */
  #rest: Buffer = Buffer.alloc(0)
  #count = 0

  update(bytes: Uint8Array): void {
    const all = Buffer.concat([this.#rest, bytes])
    const whole = all.length - (all.length % blockBytes)
    for (let at = 0; at < whole; at += blockBytes) mix(this.#state, all, at)
    this.#rest = all.subarray(whole)
    this.#count += bytes.length
  }

  copy(): RunningSha256 {
    const copy = new RunningSha256()
    copy.#state = this.#state.slice()
    copy.#rest = this.#rest
    copy.#count = this.#count
    return copy
  }

  hex(): string {
    const end = this.copy()
    const padding = Buffer.alloc(((119 - (this.#count % blockBytes)) % blockBytes) + 9)
    padding[0] = 0x80
    padding.writeBigUInt64BE(BigInt(this.#count) * 8n, padding.length - 8)
    end.update(padding)
    return stateHex(end.#state)
  }

  /** Bytes taken, state, rest: all that another process needs. */
  save(): string {
    return `${this.#count}:${stateHex(this.#state)}:${this.#rest.toString('hex')}`
  }

  /** undefined for a text that `save` never writes. */
  static restore(text: string): RunningSha256 | undefined {
    const found = /^(\d{1,15}):([0-9a-f]{64}):((?:[0-9a-f]{2}){0,63})$/.exec(text)
    const [, count = '', state = '', rest = ''] = found ?? []
    if (found === null || Number(count) % blockBytes !== rest.length / 2) return undefined
    const restored = new RunningSha256()
    const words = Buffer.from(state, 'hex')
    restored.#state = Int32Array.from({ length: 8 }, (_, at) => words.readInt32BE(at * 4))
    restored.#rest = Buffer.from(rest, 'hex')
    restored.#count = Number(count)
    return restored
  }
}

function stateHex(state: Int32Array): string {
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

function rotated(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits))
}

/** One block into the state, as FIPS 180-4, 6.2.2 has it, with its names. */
function mix(state: Int32Array, bytes: Buffer, start: number): void {
  const w = schedule(bytes, start)
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let round = 0; round < 64; round++) {
    const sum1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
    const first = (h + sum1 + ((e & f) ^ (~e & g)) + (constants[round] ?? 0) + (w[round] ?? 0)) | 0
    const sum0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
    const second = (sum0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    ;[h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0]
  }
  for (const [at, word] of [a, b, c, d, e, f, g, h].entries()) state[at] = ((state[at] ?? 0) + word) | 0
}

function schedule(bytes: Buffer, start: number): Int32Array {
  const w = new Int32Array(64)
  for (let at = 0; at < 16; at++) w[at] = bytes.readInt32BE(start + at * 4)
  for (let at = 16; at < 64; at++) {
    const [before15 = 0, before2 = 0] = [w[at - 15], w[at - 2]]
    const sigma0 = rotated(before15, 7) ^ rotated(before15, 18) ^ (before15 >>> 3)
    const sigma1 = rotated(before2, 17) ^ rotated(before2, 19) ^ (before2 >>> 10)
    w[at] = ((w[at - 16] ?? 0) + sigma0 + (w[at - 7] ?? 0) + sigma1) | 0
  }
  return w
}
