// Reads one file of a Dropbox target to its end and says how much memory that took. Run as: node dropbox-download.mjs URL TOKEN PATH
import { systemClock } from '../../dist/base/clock.js'
import { silentLog } from '../../dist/base/log.js'
import { ContentHash } from '../../dist/target/dropbox/content-hash.js'
import { dropboxTarget } from '../../dist/target/dropbox/dropbox.js'
import { openTransport } from '../../dist/target/transport/transport.js'

const [url, token, path] = process.argv.slice(2)
const never = new AbortController().signal
const pace = {
  request: (_signal, work) => work(),
  upload: (_signal, work) => work(),
  bytes: () => Promise.resolve(),
  penalise: () => {},
}
const bearer = () => Promise.resolve(token)
const hosts = ['api', 'content', 'notify'].map((name) => [`${name}.dropboxapi.com`, url])
const transport = openTransport({
  name: 'cloud',
  settings: { endpoints: Object.fromEntries(hosts) },
  pace,
  credentials: { bearer, renew: bearer },
  clock: systemClock,
  log: silentLog,
})
const target = dropboxTarget({ name: 'cloud', account: 'main', folder: 'Archive', transport })

async function read(name) {
  const entry = await target.look(name, { hash: false }, never)
  const hash = new ContentHash()
  let rssMax = 0
  for await (const chunk of await target.get(entry, { start: 0 }, never)) {
    hash.update(chunk)
    rssMax = Math.max(rssMax, process.memoryUsage.rss())
  }
  return { rssMax, contentHash: hash.hex() }
}

// A first, smaller one: what the program itself and its garbage take is no matter of how many bytes pass.
await read('first')
const startBytes = process.memoryUsage.rss()
const { rssMax, contentHash } = await read(path)
await target.close()
console.log(JSON.stringify({ grownBytes: rssMax - startBytes, contentHash }))
