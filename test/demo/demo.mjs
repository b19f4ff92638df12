// A short story of what Fanfold promises, on emulators of the clouds: npm run demo. Ends with 1 if anything is not as promised.
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { aWorld, endDaemon, fanfold, hashOf, isAtRest, sleep, startDaemon, targetOf, until } from './world.mjs'

const mebibyte = 2 ** 20
const largeBytes = 48 * mebibyte
const slowBytesPerSecond = 24 * mebibyte
/** Requests without content, headers that are counted, a piece that was under way. */
const overheadBytes = mebibyte
const start = performance.now()
let failures = 0

const clock = () => `${((performance.now() - start) / 1000).toFixed(1).padStart(5)}s`
const tell = (text) => console.log(`${clock()}  ${text}`)

function promised(isKept, text) {
  if (!isKept) failures++
  tell(`       ${isKept ? 'kept' : 'BROKEN'}: ${text}`)
}

function write(world, path, content) {
  mkdirSync(dirname(join(world.inbox, path)), { recursive: true })
  writeFileSync(join(world.inbox, path), content)
}

const clouds = (world) => world.targets.filter(({ cloud }) => cloud !== undefined)
const sources = (world) =>
  readdirSync(world.inbox, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)))

/** All that is in the source is at each target, once, and nothing else. */
async function compared(world) {
  const wanted = sources(world).map(hashOf).sort()
  const rows = []
  for (const { name, hashes } of world.targets) {
    const found = (await hashes()).sort()
    const isEqual = JSON.stringify(found) === JSON.stringify(wanted)
    rows.push({ name, files: found.length, twice: found.length - new Set(found).size, isEqual })
  }
  return rows
}

async function archive(world) {
  tell('A tree of 40 files, one of 20 MiB, one empty, some with names that clouds refuse. The daemon starts.')
  for (let n = 0; n < 32; n++) write(world, `letters/${n % 6}/letter ${n}.txt`, `letter ${n}\n`)
  for (const name of [
    'back\\slash.txt',
    'trailing space ',
    'emoji \u{1f4f7}.txt',
    'UPPER.txt',
    'upper.TXT',
    'desktop.ini',
  ])
    write(world, `odd/${name}`, `content of ${name}`)
  write(world, 'empty', '')
  write(world, 'film.mov', randomBytes(20 * mebibyte))
  const count = sources(world).length
  await startDaemon(world)
  await until(
    world,
    'all copies',
    (seen) => isAtRest(seen) && seen.targets.every(({ delivered }) => delivered === count),
  )
  const rows = await compared(world)
  promised(
    rows.every(({ isEqual }) => isEqual),
    `${count} files, each once and byte for byte, at ${rows.map(({ name }) => name).join(', ')}`,
  )
}

async function outage(world) {
  const [sick] = clouds(world)
  const others = world.targets.filter((target) => target !== sick).map(({ name }) => name)
  tell(`${sick.name} answers everything with 503. Ten files are written meanwhile, one is changed.`)
  await sick.cloud.fail()
  const before = targetOf(await until(world, 'rest', isAtRest), others[0]).bytesSent
  const writtenMs = performance.now()
  for (let n = 0; n < 10; n++) write(world, `meanwhile/${n}.txt`, `written while ${sick.name} was down ${n}`)
  write(world, 'letters/0/letter 0.txt', 'letter 0, second edition\n')
  const isThere = (seen, name) => targetOf(seen, name).waiting + targetOf(seen, name).active === 0
  const count = sources(world).length
  await until(world, 'the others', (seen) =>
    others.every((name) => targetOf(seen, name).bytesSent > before && isThere(seen, name)),
  )
  const othersMs = performance.now() - writtenMs
  const seen = await until(world, 'its pause', (now) => targetOf(now, sick.name).reason !== null)
  const { state, reason, waiting, parked } = targetOf(seen, sick.name)
  tell(`       ${sick.name} is "${state}", ${waiting} wait: ${reason}`)
  promised(othersMs < 3000, `nobody waited for it: the others had everything after ${(othersMs / 1000).toFixed(1)} s`)
  promised(parked === 0, 'no file is to blame for it')
  tell(`${sick.name} is well again.`)
  await sick.cloud.heal()
  await until(world, 'what was owed', (now) => isAtRest(now) && targetOf(now, sick.name).waiting === 0)
  const rows = await compared(world)
  promised(
    rows.every(({ isEqual }) => isEqual),
    `it caught up by itself: ${count} files everywhere, nothing twice`,
  )
}

async function kill(world) {
  tell(`A file of ${largeBytes / mebibyte} MiB goes up on a slow line; half-way the daemon is killed with -9.`)
  const before = new Map()
  for (const { name, cloud } of clouds(world)) {
    await cloud.pace(slowBytesPerSecond)
    before.set(name, await cloud.sentBytes())
  }
  const sent = async ({ name, cloud }) => (await cloud.sentBytes()) - before.get(name)
  write(world, 'large.bin', randomBytes(largeBytes))
  for (const target of clouds(world)) while ((await sent(target)) < largeBytes / 2) await sleep(20)
  await endDaemon(world, 'SIGKILL')
  tell('       killed. It is started again.')
  for (const { cloud } of clouds(world)) await cloud.pace(null)
  const count = sources(world).length
  await startDaemon(world)
  await until(
    world,
    'the large file',
    (seen) => isAtRest(seen) && seen.targets.every(({ delivered }) => delivered === count),
  )
  for (const target of clouds(world)) {
    const again = Math.max(0, (await sent(target)) - largeBytes)
    const most = target.cloud.chunkBytes + overheadBytes
    promised(
      again <= most,
      `${target.name}: it went on where it was, ${(again / mebibyte).toFixed(1)} MiB were sent twice`,
    )
  }
}

const columns = { target: 13, files: 5, twice: 5, equal: 5, delivered: 9, parked: 6, requests: 8 }

function line(cells) {
  const widths = Object.values(columns)
  const shown = cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : String(cell).padStart(widths[at])))
  console.log(`         ${shown.join('  ')}`)
}

async function requestsOf({ cloud, name }) {
  if (cloud === undefined) return '-'
  const { routes, failures: faults } = await cloud.requests()
  for (const fault of faults) promised(false, `${name}: its emulator has nothing to complain of, but: ${fault}`)
  return Object.values(routes).reduce((sum, { requests }) => sum + requests, 0)
}

async function listing(world) {
  tell('Everything is looked at once more: what lies at the targets against what the source holds.')
  await fanfold(world, 'resync', '--verify', '--wait')
  const seen = await until(world, 'rest', isAtRest)
  const rows = await compared(world)
  console.log()
  line(Object.keys(columns))
  for (const [at, { name, files, twice, isEqual }] of rows.entries()) {
    const { delivered, parked } = targetOf(seen, name)
    line([name, files, twice, isEqual ? 'yes' : 'NO', delivered, parked, await requestsOf(world.targets[at])])
  }
  console.log()
  const isRight = rows.every(({ isEqual, twice }) => isEqual && twice === 0)
  promised(
    isRight && seen.healthy,
    'every copy is proven, nothing is there twice, and the daemon says that it is healthy',
  )
}

const world = await aWorld()
try {
  await archive(world)
  await outage(world)
  await kill(world)
  await listing(world)
} catch (thrown) {
  failures++
  tell(`BROKEN: ${thrown?.stack ?? thrown}`)
} finally {
  await world.end()
}
tell(failures === 0 ? 'All as promised.' : `${failures} promises were not kept.`)
process.exitCode = failures === 0 ? 0 : 1
