import { once } from 'node:events'
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Status } from '../../src/control/control.ts'
import { aBench, fanfold, startDaemon, type Bench } from './rig.ts'

/** Adds lines at the top level of the configuration. */
function configure(bench: Bench, lines: string): void {
  writeFileSync(bench.config, `${readFileSync(bench.config, 'utf8')}${lines}\n`)
}

interface Verdicts {
  readonly health: number
  readonly reasons: readonly string[]
  readonly status: Status
  readonly statusCode: number | null
  readonly metric: string | undefined
}

/** What each of those who can be asked says. */
async function verdicts(bench: Bench, address: string): Promise<Verdicts> {
  const health = await fetch(new URL('/health', address))
  const { reasons } = (await health.json()) as { reasons: string[] }
  const { code, stdout } = await fanfold(bench, 'status', '--json')
  const metrics = await (await fetch(new URL('/metrics', address))).text()
  const metric = /^fanfold_healthy (\d)$/m.exec(metrics)?.[1]
  return { health: health.status, reasons, status: JSON.parse(stdout) as Status, statusCode: code, metric }
}

async function aReceiver(): Promise<{ readonly url: string; count: number }> {
  const heard = { url: '', count: 0 }
  const server = createServer((_question, reply) => {
    heard.count++
    reply.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  heard.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return heard
}

test('F110, F111: /health, status --json, metrics and the ping say the same of a missing target, a missing source, parked work and held removals', async () => {
  const bench = aBench({ nas: 'on-remove: trash\nremove-after: 1s' })
  const pings = await aReceiver()
  configure(bench, `status: { listen: '127.0.0.1:0' }\nnotify: { ping: { url: '${pings.url}', every: 1s } }`)
  const scans = join(bench.inbox, 'scans')
  mkdirSync(scans)
  for (let n = 0; n < 80; n++) writeFileSync(join(scans, `${n}.pdf`), String(n))
  const daemon = await startDaemon(bench)
  const address = (await fanfold(bench, 'page')).stdout.trim()
  const agree = async (isHealthy: boolean, reason: RegExp | undefined): Promise<void> => {
    await daemon.until(
      ({ healthy, reasons }) => healthy === isHealthy && (reason === undefined || reason.test(reasons.join())),
    )
    const said = await verdicts(bench, address)
    const { healthy, reasons, causes } = said.status
    expect([said.health, said.statusCode, said.metric]).toEqual(isHealthy ? [200, 0, '1'] : [503, 1, '0'])
    expect([healthy, reasons]).toEqual([isHealthy, said.reasons])
    expect(causes).toHaveLength(reasons.length)
  }
  await daemon.until(({ targets }) => targets[0]?.delivered === 80)
  await agree(true, undefined)
  const metrics = await (await fetch(new URL('/metrics', address))).text()
  expect(metrics).toMatch(/^fanfold_stage_handled_events_total\{stage="uploader nas"\} 80$/m)
  while (pings.count === 0) await new Promise((resolve) => setTimeout(resolve, 50))

  // A folder in the place of a copy.
  mkdirSync(join(bench.copies('nas'), 'blocked.txt', 'inside'), { recursive: true })
  writeFileSync(join(bench.inbox, 'blocked.txt'), 'x')
  await agree(false, /target nas has 1 parked/)
  rmSync(join(bench.copies('nas'), 'blocked.txt'), { recursive: true })
  await fanfold(bench, 'retry')
  await agree(true, undefined)

  // The target's disk goes.
  renameSync(bench.copies('nas'), `${bench.copies('nas')}.away`)
  writeFileSync(bench.copies('nas'), '')
  writeFileSync(join(bench.inbox, 'new.txt'), 'new')
  await agree(false, /target nas is missing/)
  rmSync(bench.copies('nas'))
  renameSync(`${bench.copies('nas')}.away`, bench.copies('nas'))
  await fanfold(bench, 'retry')
  await agree(true, undefined)

  // Very many files go at once.
  rmSync(scans, { recursive: true })
  await agree(false, /80 parked/)
  await fanfold(bench, 'approve', 'inbox')
  await daemon.until(({ targets }) => targets[0]?.delivered === 2)
  await agree(true, undefined)

  // The source goes.
  renameSync(bench.inbox, `${bench.inbox}.away`)
  await agree(false, /source inbox is missing/)

  const pingsWhenRed = pings.count
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  expect(pings.count).toBe(pingsWhenRed)
  expect(daemon.log()).not.toContain(pings.url)
}, 90_000)

test('a reload moves the page, and takes it away; its token stays', async () => {
  const bench = aBench({ nas: '' })
  const daemon = await startDaemon(bench)
  const nowhere = await fanfold(bench, 'page')
  const before = readFileSync(bench.config, 'utf8')
  configure(bench, `status: { listen: '127.0.0.1:0' }`)
  const reloaded = await fanfold(bench, 'reload')
  const link = (await fanfold(bench, 'page')).stdout.trim()
  const token = /#token=([0-9a-f]{64})$/.exec(link)?.[1] ?? ''
  const act = (given: string): Promise<Response> =>
    fetch(new URL('/hold', link), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'fanfold-token': given },
      body: '{"targets":["nas"]}',
    })

  expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining('status: { listen:') as string })
  expect(reloaded.stdout).toBe('status changed\n')
  expect((await act('0'.repeat(64))).status).toBe(401)
  expect((await daemon.status()).targets[0]?.state).toBe('running')
  expect((await act(token)).status).toBe(200)
  expect((await daemon.status()).targets[0]?.state).toBe('held')
  const kept = join(bench.folder, 'state', 'page-token')
  expect([readFileSync(kept, 'utf8').trim(), statSync(kept).mode & 0o777]).toEqual([token, 0o600])
  writeFileSync(bench.config, before)
  await fanfold(bench, 'reload')
  await expect(fetch(new URL('/health', link))).rejects.toThrow()
  expect(daemon.log()).not.toContain(token)
})
