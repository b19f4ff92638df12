// What a viewer of the status page costs a daemon that takes in 1,000 changes a second: its processor time with and without, in turn.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { get } from 'node:http'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const changesPerSecond = 1000
const tickMs = 10
const windowMs = 10_000
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** The other side of `feeder`: writes small files until it is told to stop. */
async function feed(folder) {
  let isWanted = true
  process.once('disconnect', () => (isWanted = false))
  const startMs = performance.now()
  for (let n = 0; isWanted; await sleep(tickMs)) {
    const due = ((performance.now() - startMs) / 1000) * changesPerSecond
    for (; n < due; n++) {
      const below = join(folder, `d${Math.floor(n / 1000)}`)
      if (n % 1000 === 0) mkdirSync(below, { recursive: true })
      writeFileSync(join(below, `f${n}`), String(n))
    }
  }
}

/** Looks at the page as a browser's tab does, until it is let go. */
async function aViewer(address) {
  const look = get(new URL('/events', address))
  const [answer] = await once(look, 'response')
  let bytes = 0
  answer.on('data', (chunk) => (bytes += chunk.length)).on('error', () => {})
  return { bytes: () => bytes, letGo: () => look.destroy() }
}

/** @returns rows of a table. @param parts.cpuSeconds of a process until now. */
export async function pageBench({ client, pid, source, address, runs, signal, cpuSeconds, median }) {
  const feeder = fork(fileURLToPath(import.meta.url), [source])
  const delivered = async () => (await client.status(signal)).targets[0].delivered
  const rows = []
  try {
    await sleep(3000)
    const window = async () => {
      const [cpu, files, fromMs] = [cpuSeconds(pid), await delivered(), performance.now()]
      await sleep(windowMs)
      const seconds = (performance.now() - fromMs) / 1000
      return { cpu: (cpuSeconds(pid) - cpu) / seconds, files: ((await delivered()) - files) / seconds }
    }
    for (let n = 0; n < runs; n++) {
      const without = await window()
      const viewer = await aViewer(address)
      const seen = await window()
      viewer.letGo()
      rows.push({ without, seen, bytes: viewer.bytes() })
    }
  } finally {
    feeder.disconnect()
    await once(feeder, 'exit')
  }
  const middle = (of) => median(rows.map(of))
  const percent = (share) => `${(share * 100).toFixed(2)} %`
  return [
    ['', 'CPU of one core', 'files/s', 'KiB seen'],
    [
      'nobody looks',
      percent(middle(({ without }) => without.cpu)),
      Math.round(middle(({ without }) => without.files)),
      0,
    ],
    [
      'one looks',
      percent(middle(({ seen }) => seen.cpu)),
      Math.round(middle(({ seen }) => seen.files)),
      Math.round(middle(({ bytes }) => bytes / 1024)),
    ],
    ['pairs differ by', percent(middle(({ without, seen }) => seen.cpu - without.cpu)), 'goal < 2 %', ''],
  ]
}

if (process.send !== undefined) await feed(process.argv[2])
