// Reads one file of a cloud's target to its end and says how much memory that took. Run as: node cloud-download.mjs CLOUD URL TOKEN PATH
import { createHash } from 'node:crypto'
import { systemClock } from '../../dist/base/clock.js'
import { silentLog } from '../../dist/base/log.js'
import { boxTarget } from '../../dist/target/box/box.js'
import { dropboxTarget } from '../../dist/target/dropbox/dropbox.js'
import { googleDriveTarget } from '../../dist/target/google-drive/google-drive.js'
import { oneDriveTarget } from '../../dist/target/onedrive/onedrive.js'
import { openTransport } from '../../dist/target/transport/transport.js'

const [cloud, url, token, path] = process.argv.slice(2)
const never = new AbortController().signal
const pace = {
  request: (_signal, work) => work(),
  upload: (_signal, work) => work(),
  bytes: () => Promise.resolve(),
  penalise: () => {},
}
const bearer = () => Promise.resolve(token)
const common = { name: 'cloud', account: 'main', folder: 'Archive', log: silentLog }
const nothing = () => Promise.resolve()
const byId = { folders: { get: () => undefined, keep: nothing, forget: nothing }, clock: systemClock }
const clouds = {
  box: {
    hosts: ['api.box.com', 'upload.box.com'],
    open: (transport) => boxTarget({ ...common, ...byId, transport, isForReading: true }),
  },
  'google-drive': {
    hosts: ['www.googleapis.com', 'oauth2.googleapis.com'],
    open: (transport) => googleDriveTarget({ ...common, ...byId, transport, drive: undefined, isForReading: true }),
  },
  dropbox: {
    hosts: ['api.dropboxapi.com', 'content.dropboxapi.com', 'notify.dropboxapi.com'],
    open: (transport) => dropboxTarget({ ...common, transport }),
  },
  onedrive: {
    hosts: ['graph.microsoft.com'],
    open: (transport) => oneDriveTarget({ ...common, transport, drive: 'own' }),
  },
}
const { hosts, open } = clouds[cloud]
const transport = openTransport({
  name: 'cloud',
  settings: { endpoints: Object.fromEntries(hosts.map((host) => [host, url])) },
  pace,
  credentials: { bearer, renew: bearer },
  clock: systemClock,
  log: silentLog,
})
const target = open(transport)
await target.open(undefined, never)

async function read(name) {
  const entry = await target.look(name, { hash: false }, never)
  const hash = createHash('sha256')
  let rssMax = 0
  for await (const chunk of await target.get(entry, { start: 0 }, never)) {
    hash.update(chunk)
    rssMax = Math.max(rssMax, process.memoryUsage.rss())
  }
  return { rssMax, sha256: hash.digest('hex') }
}

// A first, smaller one: what the program itself and its garbage take is no matter of how many bytes pass.
await read('first')
const startBytes = process.memoryUsage.rss()
const { rssMax, sha256 } = await read(path)
await target.close()
console.log(JSON.stringify({ grownBytes: rssMax - startBytes, sha256 }))
