// Measures the built program beside its peers, in turn, and prints a table: npm run bench [-- small|large|latency|idle|journal|page|stage|source …] [--rows N]
// Every run gets folders of its own, removed at the very end: ext4 creates slowly for seconds after a large removal.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { seededRandom } from '../../dist/base/random.js'
import { connect } from '../../dist/control/client.js'

const run = promisify(execFile)
const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const scratch = mkdtempSync(join(process.env.FANFOLD_BENCH_DIR ?? tmpdir(), 'fanfold-bench-'))
const runs = Number(process.env.FANFOLD_BENCH_RUNS ?? 5)
const random = seededRandom(42)
let folders = 0

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
const spread = (values) => `${Math.min(...values).toFixed(2)}-${Math.max(...values).toFixed(2)}`
const percentile = (values, share) => [...values].sort((a, b) => a - b)[Math.ceil(values.length * share) - 1]

function aFolder() {
  const folder = join(scratch, `run-${++folders}`)
  mkdirSync(folder)
  return folder
}

function block(bytes) {
  const words = Uint32Array.from({ length: bytes / 4 }, () => random() * 2 ** 32)
  return Buffer.from(words.buffer)
}

/** Folders of 100 files each. */
function tree(folder, files, bytes) {
  for (let n = 0; n < files; n++) {
    const below = join(folder, `d${Math.floor(n / 100)}`)
    if (n % 100 === 0) mkdirSync(below, { recursive: true })
    writeFileSync(join(below, `f${n}`), bytes > 0 ? block(bytes) : '')
  }
}

function config(source, targets, lines = '') {
  const folder = aFolder()
  const entries = targets.map(
    (name) => `  - { name: ${name}, kind: directory, path: ./${name}, at: '{path}'${lines} }\n`,
  )
  const file = join(folder, 'fanfold.yaml')
  const head = `state: ./state\nsources:\n  - { name: bench, path: ${source}, settle: 100ms }\ntargets:\n`
  writeFileSync(file, head + entries.join(''))
  return { file, folder }
}

async function seconds(work) {
  await run('sync')
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

/** Peer and ours in turn. */
async function inTurn(rows, count = runs) {
  const taken = rows.map(() => [])
  for (let round = 0; round < count; round++) {
    for (const [index, { work }] of rows.entries()) taken[index].push(await seconds(work))
  }
  return rows.map(({ what }, index) => ({
    what,
    median: median(taken[index]),
    range: spread(taken[index]),
    taken: taken[index],
  }))
}

function print(title, rows) {
  console.log(`\n${title}`)
  for (const cells of rows)
    console.log(`  ${cells.map((cell, index) => String(cell).padEnd(index === 0 ? 58 : 16)).join('')}`)
}

const four = ['a', 'b', 'c', 'd']
const archive = async (source) => {
  const { file } = config(source, four)
  await run(process.execPath, [program, 'run', '--until-idle', '--config', file])
}

async function small() {
  const source = aFolder()
  tree(source, 10_000, 4096)
  const peer = async () => {
    const folder = aFolder()
    const copy = (name) =>
      run('rclone', ['copy', '--transfers', '4', '--config', '/dev/null', source, join(folder, name)])
    await Promise.all(four.map(copy))
  }
  const [theirs, ours] = await inTurn([
    { what: '4 x rclone copy --transfers 4, side by side (no fsync, no check)', work: peer },
    { what: 'fanfold run --until-idle (fsync, verified, journalled)', work: () => archive(source) },
  ])
  print('10,000 files of 4 KiB to four directories', [
    ['', 'median s', 'range s', 'files/s'],
    ...[theirs, ours].map(({ what, median: s, range }) => [what, s.toFixed(2), range, Math.round(40_000 / s)]),
    ['ours / theirs', (ours.median / theirs.median).toFixed(2), 'goal 1.00', ''],
  ])
}

async function large() {
  const source = aFolder()
  const chunk = block(2 ** 24)
  const fd = openSync(join(source, 'large'), 'w')
  for (let n = 0; n < 256; n++) {
    chunk.writeUInt32LE(n)
    writeSync(fd, chunk)
  }
  closeSync(fd)
  const peer = async () => {
    const folder = aFolder()
    await Promise.all(four.map((name) => run('cp', [join(source, 'large'), join(folder, name)])))
    pending = folder
  }
  let pending
  const clean = (work) => async () => {
    await work()
    // 16 GiB a run: what one run wrote goes before the next begins.
    rmSync(pending, { recursive: true, force: true })
  }
  const ours = async () => {
    const { file, folder } = config(source, four)
    pending = folder
    await run(process.execPath, [program, 'run', '--until-idle', '--config', file])
  }
  const [theirs, mine] = await inTurn([
    { what: '4 x cp, side by side (no fsync)', work: clean(peer) },
    { what: 'fanfold run --until-idle (fsync, verified, journalled)', work: clean(ours) },
  ])
  print('one file of 4 GiB to four directories', [
    ['', 'median s', 'range s', 'MiB/s in all'],
    ...[theirs, mine].map(({ what, median: s, range }) => [what, s.toFixed(2), range, Math.round(16_384 / s)]),
    ['ours / theirs', (mine.median / theirs.median).toFixed(2), 'goal 1.30', ''],
  ])
}

async function withDaemon(file, folder, work) {
  const daemon = spawn(process.execPath, [program, 'run', '--config', file], { stdio: ['ignore', 'ignore', 'ignore'] })
  try {
    const signal = AbortSignal.timeout(600_000)
    const client = await until(() => connect(join(folder, 'state/control.sock'), signal).catch(() => undefined))
    await until(async () => {
      const { sources } = await client.status(signal)
      return sources.every(({ state, settling }) => state === 'watching' && settling === 0)
    })
    await work(client, daemon.pid, signal)
  } finally {
    daemon.kill('SIGTERM')
    await once(daemon, 'close')
  }
}

async function until(look) {
  for (;;) {
    const found = await look()
    if (found) return found
    await sleep(50)
  }
}

async function latency() {
  const source = aFolder()
  const { file, folder } = config(source, four)
  const taken = []
  await withDaemon(file, folder, async (client, _pid, signal) => {
    for (let n = 0; n < 220; n++) {
      const bytes = block(4096)
      const fd = openSync(join(source, `f${n}`), 'w')
      writeSync(fd, bytes)
      closeSync(fd)
      const start = performance.now()
      for (;;) {
        const [verdict] = await client.why(`f${n}`, signal)
        if (verdict?.targets.length === 4 && verdict.targets.every(({ state }) => state === 'delivered')) break
        await sleep(1)
      }
      if (n >= 20) taken.push(performance.now() - start)
      await sleep(20 + random() * 60)
    }
  })
  const ms = (share) => percentile(taken, share).toFixed(1)
  print('close() of a 4 KiB file to its fourth receipt on disk, asked for over the control socket', [
    ['n', 'p50 ms', 'p99 ms', 'max ms'],
    [taken.length, ms(0.5), ms(0.99), ms(1)],
    ['goal', 50, 250, ''],
  ])
}

function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function rssMib(pid) {
  const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(kib) / 1024
}

async function idle() {
  const source = aFolder()
  tree(source, 100_000, 0)
  const { file, folder } = config(source, ['none'], ", select: { include: ['*.never'] }")
  const rows = []
  await withDaemon(file, folder, async (_client, pid) => {
    // Threads that were needed for the first scan end half a minute later.
    await sleep(40_000)
    const before = cpuSeconds(pid)
    await sleep(60_000)
    rows.push([`${(((cpuSeconds(pid) - before) / 60) * 100).toFixed(2)} %`, `${Math.round(rssMib(pid))} MiB`])
  })
  print('idle, 100,000 files in 1,000 folders watched, 60 s', [
    ['CPU of one core', 'RSS'],
    ...rows,
    ['goal: below 0.5 %', 'below 200 MB'],
  ])
}

async function journal() {
  const { journalBench } = await import('./journal.mjs')
  print('the journal beside plain SQLite', await journalBench(aFolder(), rows, runs))
}

async function page() {
  const { pageBench } = await import('./page.mjs')
  const source = aFolder()
  const { file, folder } = config(source, ['copies'])
  appendFileSync(file, "status: { listen: '127.0.0.1:0' }\n")
  let table = []
  await withDaemon(file, folder, async (client, pid, signal) => {
    const { stdout } = await run(process.execPath, [program, 'page', '--config', file])
    const parts = { client, pid, source, address: stdout.trim(), runs, signal, cpuSeconds, median }
    table = await pageBench(parts)
  })
  print('a viewer of the page at 1,000 changes/s, windows of 10 s in turn', table)
}

const all = {
  small,
  large,
  latency,
  idle,
  journal,
  page,
  stage: () => import('./stage.mjs'),
  source: () => import('./source.mjs'),
}
const { values, positionals: wanted } = parseArgs({ allowPositionals: true, options: { rows: { type: 'string' } } })
/** Deliveries in the journal's bench. */
const rows = Number(values.rows ?? 400_000)
const unknown = wanted.filter((name) => !(name in all))
if (unknown.length > 0) {
  console.error(`there is no benchmark "${unknown.join(' ')}"; there are: ${Object.keys(all).join(', ')}`)
  process.exit(2)
}
try {
  console.log(
    `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim()}, ${runs} runs each, in ${scratch}`,
  )
  for (const name of wanted.length > 0 ? wanted : Object.keys(all)) await all[name]()
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
