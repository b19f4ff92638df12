// What watching costs, on the built program: from close() to the journal, a burst of four writers, a first scan, and a restart with nothing changed.
// npm run bench -- source [--rows 1000000]: files of the tree that is scanned. Wall time stands beside processor time, since the machine may be busy.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { systemClock } from '../../dist/base/clock.js'
import { silentLog } from '../../dist/base/log.js'
import { connect } from '../../dist/control/client.js'
import { openDigest } from '../../dist/digest/digest.js'
import { openJournal } from '../../dist/journal/journal.js'
import { Pipeline } from '../../dist/pipeline/pipeline.js'
import { openSources } from '../../dist/source/source.js'

const { values } = parseArgs({ strict: false, options: { rows: { type: 'string', default: '1000000' } } })
const files = Number(values.rows)
const filesPerFolder = 1_000
const latencyFiles = 2_000
const latencyGapMs = 5
const burstFiles = 50_000
const burstWriters = 4
/** Folders of the burst, so that it has the files of a build or an unpacked archive. */
const burstFolders = 100
const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const loopLook = fileURLToPath(new URL('../system/loop-look.cjs', import.meta.url))
const scratch = mkdtempSync(join(process.env.FANFOLD_BENCH_DIR ?? tmpdir(), 'fanfold-bench-source-'))
/** Longer than this nothing takes, on any machine. */
const patienceMs = 900_000
const ticksPerSecond = 100
const never = new AbortController().signal

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const sorted = (list) => [...list].sort((a, b) => a - b)
const percentile = (list, share) => sorted(list)[Math.ceil(list.length * share) - 1] ?? NaN
const load = () => `load ${loadavg()[0].toFixed(1)} on ${cpus().length} processors`
const say = (what, ...facts) => console.log(`  ${what.padEnd(44)} ${facts.join(' · ')}`)

/** Writes and closes files one by one and says of each when it was closed, on the clock that all processes share. */
const calmWriter = `
  const fs = require('node:fs')
  const lines = []
  let n = 0
  const next = () => {
    fs.writeFileSync('f' + n, 'some words')
    lines.push('f' + n + ' ' + process.hrtime.bigint())
    if (++n < ${latencyFiles}) setTimeout(next, ${latencyGapMs})
    else console.log(lines.join('\\n'))
  }
  next()`

const burstWriter = (writer) => `
  const fs = require('node:fs')
  for (let n = ${writer}; n < ${burstFiles}; n += ${burstWriters}) fs.writeFileSync('d' + (n % ${burstFolders}) + '/f' + n, 'some words')`

async function latency() {
  const root = join(scratch, 'calm')
  mkdirSync(root)
  const { journal } = openJournal(join(scratch, 'calm.sqlite'), systemClock, {})
  journal.declareSource('bench')
  const digest = await openDigest({ threads: 1, cacheBytesMax: 2 ** 20, log: silentLog, clock: systemClock })
  const common = { clock: systemClock, random: Math.random, log: silentLog, onFailure: (error) => console.error(error) }
  const places = { openerOf: () => Promise.reject(new Error('there is no target')), rootOf: () => root, host: 'bench' }
  const pipeline = new Pipeline([], { journal, digest, ...places, onStale: () => {}, stopGraceMs: 1_000, ...common })
  await pipeline.start()
  const taken = new Map()
  const sources = await openSources({
    believed: journal,
    mounts: journal.mounts,
    async take(changes) {
      await pipeline.take(changes)
      const now = process.hrtime.bigint()
      for (const { path } of changes) taken.set(path, now)
    },
    mayMoveFolder: (move) => pipeline.mayMoveFolder(move),
    note: () => {},
    ...common,
  })
  const rest = {
    settleMs: 2_000,
    unsettledMsMax: 600_000,
    unsettled: 'wait',
    oneFileSystem: false,
    checkWriters: false,
    rescanMs: 3_600_000,
  }
  const source = await sources.add({ name: 'bench', path: root, ignore: [], watch: 'auto', ...rest })
  await source.firstScan
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const writer = spawn(process.execPath, ['-e', calmWriter], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = new Map()
  for await (const line of createInterface(writer.stdout)) {
    const [name, atNs] = line.split(' ')
    closed.set(name, BigInt(atNs))
  }
  while (taken.size < closed.size) await sleep(5)
  const waits = [...closed].map(([name, atNs]) => Number(taken.get(name) - atNs) / 1e6)
  const [middle, most] = [percentile(waits, 0.5), percentile(waits, 0.99)].map((ms) => `${ms.toFixed(1)} ms`)
  say('close() to journalled, one every 5 ms', `p50 ${middle}`, `p99 ${most}`, 'goal 5/25 ms', load())
  say('  longest turn of the loop meanwhile', `${(delay.max / 1e6).toFixed(0)} ms`)
  await sources.stop()
  await pipeline.stop()
  await digest.stop()
  journal.close()
}

/** The program with one source and one target that takes nothing: its place is a file, so all is owed and no byte is copied. */
function configured(name, root) {
  const folder = join(scratch, name)
  mkdirSync(folder)
  const config = join(folder, 'fanfold.yaml')
  writeFileSync(join(folder, 'a-file'), '')
  const target = "  - { name: lost, kind: directory, path: ./a-file/lost, at: '{path}' }\n"
  writeFileSync(config, `state: ./state\nsources:\n  - { name: bench, path: ${root} }\ntargets:\n${target}`)
  return { folder, config }
}

async function started({ folder, config }) {
  const look = join(folder, 'loop.json')
  const startedMs = performance.now()
  const child = spawn(process.execPath, ['--require', loopLook, program, 'run', '--config', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, FANFOLD_LOOP_LOOK: look },
  })
  let log = ''
  child.stderr.on('data', (chunk) => (log += chunk))
  const until = async (isThere) => {
    const endMs = performance.now() + patienceMs
    while (performance.now() < endMs) {
      if (child.exitCode !== null) throw new Error(`the daemon ended with ${child.exitCode}: ${log}`)
      try {
        const desk = await connect(join(folder, 'state', 'control.sock'), AbortSignal.timeout(10_000))
        while (performance.now() < endMs) {
          const [source] = (await desk.status(never)).sources
          if (isThere(source)) return performance.now()
          await sleep(50)
        }
      } catch {
        // It does not listen yet.
        await sleep(20)
      }
    }
    throw new Error(`it is not there after ${patienceMs / 1000} s: something was missed`)
  }
  const stop = async () => {
    const spent = costOf(child.pid)
    const ended = once(child, 'close')
    child.kill('SIGTERM')
    await ended
    const turns = JSON.parse(readFileSync(look, 'utf8')).map(({ busyMs }) => busyMs)
    return { ...spent, longestTurnMs: Math.max(0, ...turns), longTurns: turns.filter((ms) => ms > 50).length }
  }
  return { until, stop, startedMs }
}

/** Processor seconds, most memory, and watches as the kernel counts them. */
function costOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ')
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
  const watches = readdirSync(`/proc/${pid}/fdinfo`).reduce((sum, fd) => sum + watchesOf(pid, fd), 0)
  return { cpuS: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond, rssMb: Number(peak) / 1024, watches }
}

function watchesOf(pid, fd) {
  try {
    return readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1').match(/^inotify wd/gm)?.length ?? 0
  } catch {
    // Closed since it was listed.
    return 0
  }
}

function sayCost({ cpuS, rssMb, watches, longestTurnMs, longTurns }) {
  const turns = `longest turn ${longestTurnMs.toFixed(0)} ms (${longTurns} over 50)`
  say('  of it', `${cpuS.toFixed(1)} s of processor`, `RSS at most ${rssMb.toFixed(0)} MB`, `${watches} watches`, turns)
}

async function burst() {
  const root = join(scratch, 'burst')
  for (let n = 0; n < burstFolders; n++) mkdirSync(join(root, `d${n}`), { recursive: true })
  const daemon = await started(configured('of-burst', root))
  await daemon.until(({ state, lastScanMs }) => state === 'watching' && lastScanMs !== null)
  const startMs = performance.now()
  const writers = Array.from({ length: burstWriters }, (_, n) =>
    once(spawn(process.execPath, ['-e', burstWriter(n)], { cwd: root, stdio: 'inherit' }), 'exit'),
  )
  const written = Promise.all(writers).then(() => performance.now())
  const endMs = await daemon.until(({ files: known }) => known === burstFiles)
  const [wallS, writtenS] = [endMs - startMs, (await written) - startMs].map((ms) => ms / 1000)
  const rate = Math.round(burstFiles / wallS)
  say(
    `${burstFiles} files by ${burstWriters} processes`,
    `none missed, ${rate}/s`,
    `written in ${writtenS.toFixed(1)} s`,
    `all journalled after ${wallS.toFixed(1)} s`,
    load(),
  )
  sayCost(await daemon.stop())
}

function growTree(root) {
  for (let n = 0; n < files; n++) {
    const folder = join(root, `d${Math.floor(n / filesPerFolder)}`)
    if (n % filesPerFolder === 0) mkdirSync(folder, { recursive: true })
    closeSync(openSync(join(folder, `f${n}`), 'w'))
  }
}

/** How long `find` needs for the same tree: wall and processor seconds. */
function findCost(root) {
  const timed = `TIMEFORMAT='%R %U %S'; time find '${root}' -printf '%s %T@\\n' > /dev/null`
  const [wallS, userS, systemS] = spawnSync('bash', ['-c', timed], { encoding: 'latin1' })
    .stderr.split(/\s+/)
    .map(Number)
  return { wallS, cpuS: userS + systemS }
}

async function scan() {
  const root = join(scratch, 'tree')
  growTree(root)
  await sleep(3_000)
  const place = configured('of-scan', root)
  findCost(root)
  const first = await started(place)
  const endMs = await first.until(({ state, files: known }) => state === 'watching' && known === files)
  const firstS = (endMs - first.startedMs) / 1000
  say(
    `first scan of ${files} files`,
    `${firstS.toFixed(1)} s, ${Math.round(files / firstS)} files/s`,
    'goal 25,000/s, 400 MB',
    load(),
  )
  sayCost(await first.stop())
  const find = findCost(root)
  const again = await started(place)
  const inStepMs = await again.until(({ state, lastScanMs }) => state === 'watching' && lastScanMs !== null)
  const againS = (inStepMs - again.startedMs) / 1000
  say(
    'restart with nothing changed',
    `${againS.toFixed(1)} s`,
    `find -printf takes ${find.wallS.toFixed(1)} s, ${find.cpuS.toFixed(1)} s of processor`,
    `${(againS / find.wallS).toFixed(1)} times that, goal 3`,
    load(),
  )
  sayCost(await again.stop())
}

try {
  console.log(`\nSource, in ${scratch}`)
  await latency()
  await burst()
  await scan()
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
