/** Who may ask the page's server what (F117). */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { aFolder } from '../builders.ts'
import { smallDesk } from '../control/small-desk.ts'
import { anyPort, asked, served } from './rig.ts'

describe('a page of this machine (F117)', () => {
  test('answers under the names of this machine, and under no other: a name that was made to point here is refused', async () => {
    const { ask, port } = await served()
    const under = async (host: string): Promise<number> => (await ask('/status', { headers: { host } })).status

    expect(await under(`127.0.0.1:${port}`)).toBe(200)
    expect(await under(`localhost:${port}`)).toBe(200)
    expect(await under(`LOCALHOST:${port}`)).toBe(200)
    for (const host of [
      `evil.example:${port}`,
      'evil.example',
      '127.0.0.1',
      `localhost.evil.example:${port}`,
      `127.0.0.1:${port + 1}`,
    ])
      expect(await under(host), host).toBe(421)
    for (const path of ['/', '/health', '/metrics', '/events', '/page.css'])
      expect((await ask(path, { headers: { host: 'evil.example' } })).status, path).toBe(421)
  })

  test('acts for nobody under a foreign name, even with the token', async () => {
    const { act, desk } = await served()

    const answer = await act('/retry', { targets: [] }, { host: 'evil.example' })

    expect(answer.status).toBe(421)
    expect(desk.asked).toEqual([])
  })

  test.each([
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ origin: 'http://127.0.0.1:1' }, 403],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site' }, 403],
    [{ 'content-type': 'text/plain' }, 403],
    [{ 'content-type': 'application/x-www-form-urlencoded' }, 403],
    [{ 'fanfold-token': '' }, 401],
    [{ 'fanfold-token': 'f'.repeat(64) }, 401],
  ])('refuses to act for another site, for a form, or without the token: %j', async (headers, status) => {
    const { act, desk } = await served()

    const answer = await act('/hold', { targets: ['nas'] }, headers)

    expect(answer.status).toBe(status)
    expect(desk.asked).toEqual([])
  })

  test('acts for its own page, which shows the token', async () => {
    const { act, desk, port } = await served()
    const own = { origin: `http://127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin' }

    expect((await act('/retry', { targets: ['nas'] }, own)).text).toBe('{"retried":2}')
    expect((await act('/hold', { targets: ['nas'] }, own)).status).toBe(200)
    expect((await act('/resume', { targets: ['nas'] })).status).toBe(200)
    expect((await act('/approve', { source: 'papers' })).status).toBe(200)
    expect((await act('/resync', { targets: ['nas'] })).status).toBe(200)
    expect(desk.asked.slice(0, 4)).toEqual([['nas'], ['hold', ['nas']], ['resume', ['nas']], ['approve', 'papers']])
  })

  test('has of the control socket only what a page needs', async () => {
    const { act, ask, desk } = await served()

    for (const path of ['/reload', '/logout', '/login/check', '/page'])
      expect((await act(path, {})).status, path).toBe(404)
    for (const path of ['/plan', '/page', '/status/stream', '/modules/control/server.js', '/modules/../main.js'])
      expect((await ask(path)).status, path).toBe(404)
    for (const method of ['PUT', 'DELETE', 'OPTIONS'])
      expect((await ask('/status', { method })).status, method).toBe(405)
    expect(desk.asked).toEqual([])
  })

  test('another site may link to the page, and may read nothing of it', async () => {
    const { ask } = await served()
    const foreign = (mode: string): Record<string, string> => ({
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': mode,
    })

    expect((await ask('/', { headers: foreign('navigate') })).status).toBe(200)
    for (const path of ['/status', '/events', '/metrics', '/history'])
      expect((await ask(path, { headers: foreign('no-cors') })).status, path).toBe(403)
    expect((await ask('/status')).headers['access-control-allow-origin']).toBeUndefined()
  })
})

test('every answer forbids what a browser could be made to do with it: no inline script, no frame, no other host', async () => {
  const { ask } = await served()

  for (const path of [
    '/',
    '/status',
    '/health',
    '/page.css',
    '/modules/page/browser/main.js',
    '/nothing',
    '/why?path=',
  ]) {
    const { headers } = await ask(path)
    const policy = headers['content-security-policy']
    expect(policy, path).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
    expect(policy, path).toContain("frame-ancestors 'none'")
    expect(policy, path).not.toMatch(/unsafe|nonce|data:|https?:|\*/)
    expect([headers['x-content-type-options'], headers['referrer-policy']], path).toEqual(['nosniff', 'no-referrer'])
    expect(headers['cross-origin-resource-policy'], path).toBe('same-origin')
  }
})

test('the page needs nothing from anywhere else and has nothing inline', async () => {
  const { ask } = await served()
  const { text } = await ask('/')

  expect(text).not.toMatch(/https?:|<style| style=| on[a-z]+=/)
  for (const [, path] of text.matchAll(/(?:src|href)="(\/[^"]*)"/g))
    expect((await ask(path ?? '')).status, path).toBe(200)
  const modules = [...(await ask('/modules/page/browser/main.js')).text.matchAll(/from "\.\/([a-z]+\.js)"/g)]
  expect(modules.length).toBeGreaterThan(5)
  for (const [, name] of modules) expect((await ask(`/modules/page/browser/${name ?? ''}`)).status, name).toBe(200)
  const { status, headers } = await ask('/page.css')
  const again = await ask('/page.css', { headers: { 'if-none-match': headers.etag ?? '' } })
  expect([status, again.status]).toEqual([200, 304])
})

test('the token lies in a file of its owner alone, outlives the daemon, and stands in no answer', async () => {
  const folder = aFolder()
  const first = await served(anyPort, smallDesk(), folder)
  const second = await served(anyPort, smallDesk(), folder)

  expect(statSync(join(folder, 'page-token')).mode & 0o777).toBe(0o600)
  expect(first.token).toMatch(/^[0-9a-f]{64}$/)
  expect(second.token).toBe(first.token)
  for (const path of ['/', '/status', '/health', '/history', '/trend'])
    expect((await first.ask(path)).text, path).not.toContain(first.token)
})

test('behind a proxy the names that are configured are ours, and a socket file is', async () => {
  const folder = aFolder()
  const socketPath = join(folder, 'page.sock')
  const { page } = await served({ listen: { kind: 'unix', path: socketPath }, hosts: ['fanfold.example'] })
  const under = async (host: string): Promise<number> =>
    (await asked({ socketPath, path: '/health', headers: { host } })).status

  expect(page.access().address).toBe(`unix:${socketPath}`)
  expect(statSync(socketPath).mode & 0o777).toBe(0o660)
  expect(await under('fanfold.example')).toBe(200)
  expect(await under('fanfold.example:443')).toBe(200)
  expect(await under('localhost')).toBe(200)
  expect(await under('evil.example')).toBe(421)
})
