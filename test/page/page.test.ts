/** What the page's server answers, and when it does not serve. */
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { aLane, aStatus, smallDesk } from '../control/small-desk.ts'
import { anyPort, served } from './rig.ts'

test('health is 200 while all is well and 503 when not, with the reasons of the status', async () => {
  const { ask, desk } = await served()

  const good = await ask('/health')
  desk.now = aStatus({ healthy: false, reasons: ['target nas is missing'], causes: ['target nas missing'] })
  const bad = await ask('/health')

  expect([good.status, good.text]).toEqual([200, '{"healthy":true,"reasons":[]}'])
  expect([bad.status, bad.text]).toEqual([503, '{"healthy":false,"reasons":["target nas is missing"]}'])
})

test('status, why, history and what is parked are read without a token', async () => {
  const { ask, desk } = await served()

  expect(JSON.parse((await ask('/status')).text)).toEqual(desk.now)
  expect(JSON.parse((await ask('/why?path=a.txt')).text)).toMatchObject([{ source: 'papers', path: 'a.txt' }])
  expect(JSON.parse((await ask('/history?limit=2')).text)).toHaveLength(2)
  expect(JSON.parse((await ask('/parked?target=nas')).text)).toMatchObject([
    { path: 'a.txt', reason: 'EACCES; allow it' },
  ])
  expect((await ask('/parked')).status).toBe(400)
  expect((await ask('/metrics')).text).toContain('fanfold_healthy 1\n')
})

/** The first frames of the live status. */
async function frames(port: number, count: number): Promise<string[]> {
  const asking = request({ host: '127.0.0.1', port, path: '/events', agent: false })
  asking.on('error', () => {})
  asking.end()
  const [answer] = (await once(asking, 'response')) as [AsyncIterable<Buffer>]
  let text = ''
  for await (const part of answer) {
    text += part.toString()
    if (text.split('\n\n').length > count) break
  }
  asking.destroy()
  return text.split('\n\n').slice(0, count)
}

test('the live status is sent as events; who comes again after a reload gets it again, and the past with it', async () => {
  const { port, page, ask, looks } = await served()

  const before = await frames(port, 2)
  await page.change({ ...anyPort, hosts: ['fanfold.example'] })
  const after = await frames(port, 1)
  const trend = JSON.parse((await ask('/trend')).text) as unknown[]

  for (const frame of [...before, ...after]) expect(frame).toMatch(/^event: status\ndata: \{"healthy":true/)
  expect(looks()).toBeGreaterThanOrEqual(3)
  expect(trend).toEqual([
    { atMs: expect.any(Number) as number, lanes: { nas: { bytesSent: 0, delivered: 1204, lagMs: 0 } } },
  ])
})

test('nothing is asked of the desk while nobody looks', async () => {
  const { desk, looks } = await served()

  await new Promise((resolve) => setTimeout(resolve, 700))

  expect([desk.asked, looks()]).toEqual([[], 0])
})

test('a thousand copies under way at many targets are one frame', async () => {
  const sending = Array.from({ length: 16 }, (_, n) => ({ path: `folder/file-${n}`, bytesDone: n, size: 100 }))
  const targets = Array.from({ length: 64 }, (_, n) => aLane({ name: `t${n}`, active: 16, sending }))
  const { port } = await served(anyPort, smallDesk(aStatus({ targets })))

  const [frame = ''] = await frames(port, 1)

  expect(frame.split('folder/file-').length - 1).toBe(1024)
})

test('an address that is taken is told, and had as soon as it is free; the daemon lives without', async () => {
  const squatter = createServer().listen(0, '127.0.0.1')
  await once(squatter, 'listening')
  onTestFinished(() => void squatter.close())
  const { port } = squatter.address() as AddressInfo

  const { page } = await served({ listen: { kind: 'tcp', host: '127.0.0.1', port }, hosts: [] })

  expect(page.access()).toMatchObject({ address: null, reason: expect.stringContaining('is in use') as string })
})

test('where no address is configured nothing is served, and one that is taken away is let go', async () => {
  const { page, ask } = await served()

  await page.change({ listen: undefined, hosts: [] })

  expect(page.access()).toMatchObject({ address: null, reason: expect.stringContaining('status: { listen:') as string })
  await expect(ask('/health')).rejects.toThrow('ECONNREFUSED')
})
