/** Memory that bytes on their way take: the same for a large file as for a small one. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { sendJson, serve } from './transport-fixture.ts'

const mover = fileURLToPath(new URL('transport-bytes.mjs', import.meta.url))
const bytes = 256 * 2 ** 20
const grownBytesMax = 64 * 2 ** 20

for (const way of ['up', 'down', 'fetch-up', 'fetch-down']) {
  test(`F71: 256 MiB ${way} take less than 64 MiB of memory`, async () => {
    const server = await serve((request, response) => {
      if (request.method === 'POST') {
        let count = 0
        request.on('data', (chunk: Buffer) => (count += chunk.length))
        request.on('end', () => sendJson(response, { bytes: count }))
        return
      }
      let left = Number(request.url?.split('?')[1])
      response.writeHead(200, { 'content-length': left })
      const piece = Buffer.alloc(2 ** 20)
      const more = (): void => {
        while (left > 0) {
          left -= piece.length
          if (!response.write(piece) && left > 0) return void response.once('drain', more)
        }
        response.end()
      }
      more()
    })

    const { stdout } = await promisify(execFile)(process.execPath, [mover, way, server.url, String(bytes)], {
      timeout: 25_000,
    })

    const { moved, grownBytes } = JSON.parse(stdout) as { moved: number; grownBytes: number }
    expect(moved).toBe(bytes)
    expect(grownBytes).toBeLessThan(grownBytesMax)
  })
}
