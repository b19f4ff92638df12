/** The quickstart's sample files. */
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, inflateSync } from 'node:zlib'
import { createHash } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { quickstartBase } from '../../src/cli/quickstart.ts'
import { makeSample, pngPicture } from '../../src/cli/sample.ts'

async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fanfold-sample-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('the sample holds every awkward kind, and is the same every time', async () => {
  const inbox = join(await tempFolder(), 'inbox')

  await makeSample(inbox)

  const files = (await readdir(inbox, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const large = await readFile(join(inbox, 'video/recording.bin'))
  expect(files).toHaveLength(19)
  expect(files.map(({ name }) => name)).toContain('grüße aus 東京 🎏.txt')
  expect((await stat(join(inbox, 'documents/empty.txt'))).size).toBe(0)
  expect(large).toHaveLength(64 * 2 ** 20)
  expect(createHash('sha256').update(large).digest('hex')).toBe(largeSha256)
})
const largeSha256 = 'e29cfac72bd686e73e25103b01c589be358c6d19787b1c4ca93de2e7c4a2de36'

test('an inbox that is there is left as it is', async () => {
  const inbox = join(await tempFolder(), 'inbox')
  await mkdir(inbox)
  await writeFile(join(inbox, 'mine.txt'), 'mine')

  await makeSample(inbox)

  expect(await readdir(inbox)).toEqual(['mine.txt'])
})

test('a sample that was interrupted is begun anew', async () => {
  const folder = await tempFolder()
  await mkdir(join(folder, 'inbox.making'))
  await writeFile(join(folder, 'inbox.making', 'half.txt'), 'ha')

  await makeSample(join(folder, 'inbox'))

  expect(await readdir(folder)).toEqual(['inbox'])
  await expect(access(join(folder, 'inbox', 'half.txt'))).rejects.toThrow('ENOENT')
})

test('the picture is a PNG whose chunks and points add up', () => {
  const picture = pngPicture(16)

  const chunks = chunksOf(picture)
  const rows = inflateSync(chunks[1]?.content ?? Buffer.alloc(0))
  expect(picture.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n')
  expect(chunks.map(({ type }) => type)).toEqual(['IHDR', 'IDAT', 'IEND'])
  expect(chunks.filter(({ isSound }) => !isSound)).toEqual([])
  expect([chunks[0]?.content.readUInt32BE(0), chunks[0]?.content.readUInt32BE(4)]).toEqual([16, 16])
  expect(rows).toHaveLength(16 * (1 + 16 * 3))
})

function chunksOf(picture: Buffer): { type: string; content: Buffer; isSound: boolean }[] {
  const chunks = []
  for (let at = 8; at < picture.length;) {
    const length = picture.readUInt32BE(at)
    const body = picture.subarray(at + 4, at + 8 + length)
    const isSound = crc32(body) === picture.readUInt32BE(at + 8 + length)
    chunks.push({ type: body.toString('latin1', 0, 4), content: body.subarray(4), isSound })
    at += length + 12
  }
  return chunks
}

test('the quickstart lives in the package where that can be written, else in a folder of its own', async () => {
  const root = await tempFolder()
  const isRoot = process.getuid?.() === 0
  await chmod(root, 0o500)

  // Root may write everywhere, so for it the read-only case is a folder that is not there.
  const readOnly = quickstartBase(isRoot ? join(root, 'gone') : root, '/home/anna')
  await chmod(root, 0o700)

  expect(readOnly).toBe('/home/anna/fanfold-quickstart')
  expect(quickstartBase(root, '/home/anna')).toBe(root)
})
