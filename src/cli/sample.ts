/** The quickstart's sample inbox: real files of every awkward kind, the same on every machine. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import { seededRandom } from '../base/random.ts'

const mebibyte = 2 ** 20
const largeMebibytes = 64
const seed = 20_261_120
/** Points per side of the sample picture. */
const pictureSide = 256

/** Makes the inbox unless it is there; whole or not at all, so that an interrupted first start leaves no half sample. */
export async function makeSample(inbox: string): Promise<void> {
  if (await exists(inbox)) return
  const making = `${inbox}.making`
  await rm(making, { recursive: true, force: true })
  for (const [path, content] of sampleFiles()) {
    await mkdir(dirname(join(making, path)), { recursive: true })
    await writeFile(join(making, path), content)
  }
  await mkdir(join(making, 'video'), { recursive: true })
  await writeLarge(join(making, 'video', 'recording.bin'))
  await rename(making, inbox)
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function sampleFiles(): [string, string | Buffer][] {
  const pages = Array.from({ length: 12 }, (_, at): [string, string] => [
    `documents/2026/report-${String(at + 1).padStart(2, '0')}.txt`,
    `Report ${at + 1}\n\n${'Every copy of this page is proven by its hash.\n'.repeat(20 * (at + 1))}`,
  ])
  return [
    ['welcome.txt', 'Drop files into this folder and watch where they go.\n'],
    ['documents/notes.md', '# Notes\n\nChange this file and save it: the new version follows to every target.\n'],
    ...pages,
    ['documents/grüße aus 東京 🎏.txt', 'Names are kept as they are.\n'],
    ['documents/empty.txt', ''],
    ['pictures/gradient.png', pngPicture(pictureSide)],
    ['pictures/trip/small.png', pngPicture(32)],
  ]
}

/** Bytes that no compression shortens, from a seed. Written in pieces, so that memory stays small. */
async function writeLarge(path: string): Promise<void> {
  const random = seededRandom(seed)
  const file = createWriteStream(path)
  for (let piece = 0; piece < largeMebibytes; piece++) {
    const words = Uint32Array.from({ length: mebibyte / 4 }, () => Math.floor(random() * 2 ** 32))
    if (!file.write(Buffer.from(words.buffer))) await once(file, 'drain')
  }
  file.end()
  await once(file, 'close')
}

/** A colour gradient as PNG (RFC 2083): signature, then IHDR, IDAT and IEND chunks. */
export function pngPicture(side: number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  // 8 bits per sample, colour type 2 (red, green, blue); compression, filter and interlace have one value each.
  header.set([8, 2, 0, 0, 0], 8)
  const rows = Buffer.alloc(side * (1 + side * 3))
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const shade = [Math.floor((x * 255) / side), Math.floor((y * 255) / side), 160]
      // Each row begins with its filter, 0 (none).
      rows.set(shade, y * (1 + side * 3) + 1 + x * 3)
    }
  }
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(content.length, 0)
  body.copy(framed, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}
