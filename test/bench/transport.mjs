// What a transport costs: one large upload and many small calls, against a plain sink in a process of its own.
// Run as: node test/bench/transport.mjs [MiB]   (after a build)
import { fork } from 'node:child_process'
import { createServer } from 'node:http'
import { openTransport } from '../../dist/target/transport/transport.js'
import { systemClock } from '../../dist/base/clock.js'
import { silentLog } from '../../dist/base/log.js'
import { request as undiciRequest, Agent, fetch as undiciFetch } from 'undici'

if (process.argv[2] === 'sink') {
  const server = createServer((request, response) => {
    request.on('data', () => {})
    request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
  })
  server.listen(0, '127.0.0.1', () => process.send(server.address().port))
} else await measure(Number(process.argv[2] ?? 1024))

async function measure(mib) {
  const sink = fork(new URL(import.meta.url).pathname, ['sink'])
  const port = await new Promise((resolve) => sink.once('message', resolve))
  const url = `http://127.0.0.1:${port}/x`
  const never = new AbortController().signal
  const pace = {
    request: (_signal, work) => work(),
    upload: (_signal, work) => work(),
    bytes: () => Promise.resolve(),
    penalise: () => {},
  }
  const settings = { endpoints: { 'api.example.test': `http://127.0.0.1:${port}` } }
  const transport = openTransport({
    name: 'x',
    settings,
    pace,
    credentials: undefined,
    clock: systemClock,
    log: silentLog,
  })
  const real = 'https://api.example.test/x'
  const dispatcher = new Agent({ connections: 64 })
  const piece = Buffer.alloc(2 ** 20, 7)
  async function* source() {
    for (let n = 0; n < mib; n++) yield piece
  }
  const small = Buffer.alloc(1024, 7)
  const length = mib * 2 ** 20
  const large = {
    'transport.request': () =>
      transport.request({ method: 'POST', url: real, body: source, length, expect: 'json' }, never),
    'transport.fetch': async () => (await transport.fetch(real, { method: 'POST', body: source() })).json(),
    'undici.request': async () =>
      (
        await undiciRequest(url, { method: 'POST', body: source(), headers: { 'content-length': length }, dispatcher })
      ).body.json(),
    'undici.fetch': async () =>
      (
        await undiciFetch(url, { method: 'POST', body: source(), duplex: 'half', redirect: 'error', dispatcher })
      ).json(),
  }
  for (const [name, upload] of Object.entries(large)) {
    const startMs = performance.now()
    const startCpu = process.cpuUsage()
    await upload()
    const seconds = (performance.now() - startMs) / 1000
    const cpu = process.cpuUsage(startCpu)
    const cores = (cpu.user + cpu.system) / 1e6 / seconds
    console.log(
      `${name}: ${Math.round(length / 1e6 / seconds)} MB/s up, ${cores.toFixed(2)} cores, ${((cores * seconds * 1e12) / length).toFixed(0)} ms/GB of processor`,
    )
  }
  const calls = {
    'transport.request': () =>
      transport.request({ method: 'POST', url: real, body: () => small, expect: 'json' }, never),
    'transport.fetch': async () => (await transport.fetch(real, { method: 'POST', body: small })).json(),
    'undici.request': async () => (await undiciRequest(url, { method: 'POST', body: small, dispatcher })).body.json(),
    'undici.fetch': async () => (await undiciFetch(url, { method: 'POST', body: small, dispatcher })).json(),
  }
  for (const wide of [1, 4, 16]) {
    for (const [name, call] of Object.entries(calls)) {
      let left = 8000
      const startMs = performance.now()
      const startCpu = process.cpuUsage()
      const worker = async () => {
        while (left-- > 0) await call()
      }
      await Promise.all(Array.from({ length: wide }, worker))
      const seconds = (performance.now() - startMs) / 1000
      const cpu = process.cpuUsage(startCpu)
      const microseconds = Math.round((cpu.user + cpu.system) / 8000)
      console.log(`${name}: ${Math.round(8000 / seconds)} calls/s, ${wide} wide, ${microseconds} us of processor each`)
    }
  }
  await transport.close()
  await dispatcher.close()
  sink.kill()
}
