// Moves many bytes through a transport and says how much memory that took. Run as: node transport-bytes.mjs up|down|fetch-up|fetch-down URL BYTES
import { openTransport } from '../../dist/target/transport/transport.js'
import { systemClock } from '../../dist/base/clock.js'
import { silentLog } from '../../dist/base/log.js'

const [way, url, size] = process.argv.slice(2)
let bytes = 32 * 2 ** 20
const never = new AbortController().signal
const pace = {
  request: (_signal, work) => work(),
  upload: (_signal, work) => work(),
  bytes: () => Promise.resolve(),
  penalise: () => {},
}
const transport = openTransport({
  name: 'cloud',
  settings: { endpoints: { 'api.example.test': url } },
  pace,
  credentials: undefined,
  clock: systemClock,
  log: silentLog,
})
const real = 'https://api.example.test/x'
let rssMax = 0
const look = () => (rssMax = Math.max(rssMax, process.memoryUsage().rss))

/** One piece for all: what a source leaves behind for the collector is not the transport's. */
const piece = Buffer.alloc(2 ** 20, 7)

async function* source() {
  for (let n = 0; n < bytes / 2 ** 20; n++) {
    look()
    yield piece
  }
}

async function counted(stream) {
  let count = 0
  for await (const chunk of stream) {
    count += chunk.length
    look()
  }
  return count
}

const ways = {
  up: async () => {
    const { content } = await transport.request(
      { method: 'POST', url: real, body: source, length: bytes, expect: 'json' },
      never,
    )
    return content.value.bytes
  },
  down: async () => {
    const { content } = await transport.request(
      { method: 'GET', url: `${real}?${bytes}`, expect: 'bytes', size: bytes },
      never,
    )
    return counted(content.stream)
  },
  'fetch-up': async () => {
    const response = await transport.fetch(real, { method: 'POST', body: source() })
    return (await response.json()).bytes
  },
  'fetch-down': async () => counted((await transport.fetch(`${real}?${bytes}`)).body),
}

// A first, smaller move: what the program itself and its garbage take is no matter of how many bytes pass.
await ways[way]()
bytes = Number(size)
const startBytes = process.memoryUsage().rss
rssMax = 0
const moved = await ways[way]()
await transport.close()
console.log(JSON.stringify({ moved, grownBytes: rssMax - startBytes }))
