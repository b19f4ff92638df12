/** What can be made to go wrong, as a client sees it, and what then lies at the provider. */
import { Agent, request as httpRequest } from 'node:http'
import { describe, expect, test } from 'vitest'
import { aDropbox, ascii, contentHash, type Reply, type Rig } from './dropbox-rig.ts'

function held(rig: Rig, path: string): string | undefined {
  return rig.emulator.provider.owner.read(path)?.toString()
}

async function sessionOf(rig: Rig, bytes = ''): Promise<string> {
  const reply = await rig.content('files/upload_session/start', {}, bytes)
  return (reply.body as { readonly session_id: string }).session_id
}

function append(rig: Rig, id: string, offset: number, bytes: Buffer | string = ''): Promise<Reply> {
  return rig.content('files/upload_session/append_v2', { cursor: { session_id: id, offset } }, bytes)
}

describe('which requests', () => {
  test('the nth and as many after it as asked, of one route', async () => {
    const rig = await aDropbox()
    const script = rig.emulator.fault({
      route: 'files/upload',
      nth: 2,
      count: 2,
      fault: { do: 'refuse', name: 'unavailable' },
    })

    const statuses: number[] = []
    for (const path of ['/1', '/2', '/3', '/4']) statuses.push((await rig.put(path, 'x')).status)

    expect(statuses).toEqual([200, 503, 503, 200])
    expect(script.struck).toBe(2)
  })

  test('all of a family, until it is disarmed', async () => {
    const rig = await aDropbox()
    const script = rig.emulator.fault({ route: 'files/*', count: 'all', fault: { do: 'refuse', name: 'server-error' } })

    expect((await rig.put('/a', 'x')).status).toBe(500)
    expect((await rig.rpc('files/list_folder', { path: '' })).status).toBe(500)
    expect((await rig.rpc('users/get_space_usage')).status).toBe(200)
    script.disarm()
    expect((await rig.put('/a', 'x')).status).toBe(200)
  })

  test('only those that speak of a name, be it in a header or in a body', async () => {
    const rig = await aDropbox()
    rig.emulator.fault({ contains: '/poison', count: 'all', fault: { do: 'refuse', name: 'server-error' } })

    expect((await rig.put('/good', 'x')).status).toBe(200)
    expect((await rig.put('/poison', 'x')).status).toBe(500)
    expect((await rig.rpc('files/get_metadata', { path: '/poison' })).status).toBe(500)
    expect((await rig.rpc('files/get_metadata', { path: '/good' })).status).toBe(200)
  })

  test('a name the provider does not know is refused when it is armed', async () => {
    const { emulator } = await aDropbox()

    expect(() => emulator.fault({ fault: { do: 'refuse', name: 'nonsense' } })).toThrow(/no refusal "nonsense"/)
    expect(() => emulator.fault({ fault: { do: 'behave', name: 'nonsense' } })).toThrow(/no behaviour "nonsense"/)
  })
})

describe('before and after', () => {
  test('a cut before leaves nothing, a cut after leaves the file (F64)', async () => {
    const rig = await aDropbox()
    rig.emulator.fault({ fault: { do: 'cut', when: 'before' } })
    await expect(rig.put('/before', 'x')).rejects.toThrow()
    rig.emulator.fault({ fault: { do: 'cut', when: 'after' } })
    await expect(rig.put('/after', 'x')).rejects.toThrow()

    expect([held(rig, '/before'), held(rig, '/after')]).toEqual([undefined, 'x'])
  })

  test('a lost answer to an append leaves the session further than the client knows', async () => {
    const rig = await aDropbox()
    const id = await sessionOf(rig)
    rig.emulator.fault({ route: '*append_v2', fault: { do: 'cut', when: 'after' } })
    await expect(append(rig, id, 0, 'abc')).rejects.toThrow()

    const again = await append(rig, id, 0, 'abc')

    expect(again.body).toMatchObject({ error: { '.tag': 'incorrect_offset', correct_offset: 3 } })
  })

  test('a commit that took effect may be answered with 503 and HTML', async () => {
    const rig = await aDropbox()
    rig.emulator.fault({ route: 'files/upload', fault: { do: 'refuse', when: 'after', name: 'unavailable' } })

    const reply = await rig.put('/a', 'x')

    expect([reply.status, reply.headers.get('content-type')]).toEqual([503, 'text/html'])
    expect(held(rig, '/a')).toBe('x')
  })

  test('work of the test itself runs at that instant: somebody writes between look and commit (F80)', async () => {
    const rig = await aDropbox()
    const rev = (await rig.put('/a', 'one')).body as { readonly rev: string }
    const edit = (): void => rig.emulator.provider.owner.write('/a', 'by hand')
    rig.emulator.fault({ route: 'files/upload', fault: { do: 'call', when: 'before', work: edit } })

    const reply = await rig.put('/a', 'two', { mode: { '.tag': 'update', update: rev.rev } })

    expect(reply.status).toBe(409)
    expect(held(rig, '/a')).toBe('by hand')
  })

  test('an answer may come late', async () => {
    const rig = await aDropbox()
    rig.emulator.fault({ fault: { do: 'delay', when: 'after', ms: 150 } })
    const startMs = performance.now()

    const reply = await rig.put('/a', 'x')

    expect(reply.status).toBe(200)
    expect(performance.now() - startMs).toBeGreaterThan(140)
  })
})

describe('refusals', () => {
  test.each([
    ['throttle', 429, 'application/json'],
    ['throttle-text', 429, 'text/plain; charset=utf-8'],
    ['throttle-writes', 429, 'application/json'],
    ['expired-token', 401, 'application/json'],
    ['invalid-token', 401, 'application/json'],
    ['missing-scope', 401, 'application/json'],
    ['suspended', 401, 'application/json'],
    ['forbidden', 403, 'application/json'],
    ['bad-request', 400, 'text/plain; charset=utf-8'],
    ['server-error', 500, 'text/plain; charset=utf-8'],
    ['unavailable', 503, 'text/html'],
    ['no-such-session', 409, 'application/json'],
  ])('%s is %i, %s (F67)', async (name, status, type) => {
    const rig = await aDropbox()
    rig.emulator.fault({ fault: { do: 'refuse', name, retryAfterS: 300 } })

    const reply = await rig.put('/a', 'x')

    expect([reply.status, reply.headers.get('content-type')]).toEqual([status, type])
    if (status === 429) expect(reply.headers.get('retry-after')).toBe('300')
  })

  test('anything else may be said: a portal that answers 200 with a page (F119)', async () => {
    const rig = await aDropbox()
    const portal = { status: 200, headers: { 'Content-Type': 'text/html' }, body: '<html>Log in</html>' }
    rig.emulator.fault({ fault: { do: 'answer', ...portal } })

    const reply = await rig.put('/a', 'x')

    expect([reply.status, reply.bytes.toString()]).toEqual([200, '<html>Log in</html>'])
  })

  test('above the rate limit is throttled', async () => {
    const rig = await aDropbox()
    rig.emulator.pace.set({ requestsPerSecond: 2 })

    const replies = await Promise.all(Array.from({ length: 4 }, () => rig.rpc('users/get_space_usage')))

    expect(replies.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(2)
  })
})

describe('bodies', () => {
  test('a request cut in its middle stores nothing, by default', async () => {
    const rig = await aDropbox()
    const id = await sessionOf(rig, 'ab')
    rig.emulator.fault({ route: '*append_v2', fault: { do: 'cut-request', bytes: 100 } })
    await expect(append(rig, id, 2, Buffer.alloc(1_000_000))).rejects.toThrow()

    expect((await append(rig, id, 2)).status).toBe(200)
  })

  test('a request cut in its middle leaves half an append, if asked', async () => {
    const rig = await aDropbox()
    const id = await sessionOf(rig, 'ab')
    rig.emulator.fault({ route: '*append_v2', fault: { do: 'cut-request', bytes: 100, keep: true } })
    await expect(append(rig, id, 2, Buffer.alloc(1_000_000))).rejects.toThrow()

    expect((await append(rig, id, 2)).body).toMatchObject({ error: { correct_offset: 102 } })
  })

  test('a client that leaves in the middle stores nothing', async () => {
    const rig = await aDropbox()
    const id = await sessionOf(rig)
    await leaveInTheMiddle(rig, id)
    await rig.emulator.recorder.until(
      ({ routes }) => routes['files/upload_session/append_v2']?.underWay === 0,
      AbortSignal.timeout(20_000),
    )

    expect((await append(rig, id, 0)).status).toBe(200)
  })

  test('an answer cut in its middle promises more than it brings', async () => {
    const rig = await aDropbox()
    await rig.put('/a', Buffer.alloc(300_000))
    rig.emulator.fault({ route: 'files/download', fault: { do: 'cut-answer', bytes: 1000 } })

    await expect(rig.content('files/download', { path: '/a' })).rejects.toThrow()
    expect(rig.emulator.recorder.records.at(-1)?.answerBytes).toBe(1000)
  })

  test('an answer drips', async () => {
    const rig = await aDropbox()
    await rig.put('/a', Buffer.alloc(2000))
    rig.emulator.fault({ route: 'files/download', fault: { do: 'drip', of: 'answer', bytesPerSecond: 10_000 } })
    const startMs = performance.now()

    const reply = await rig.content('files/download', { path: '/a' })

    expect(reply.bytes.length).toBe(2000)
    expect(performance.now() - startMs).toBeGreaterThan(150)
  })

  test('an answer stands still until the client leaves', async () => {
    const rig = await aDropbox()
    await rig.put('/a', Buffer.alloc(2000))
    rig.emulator.fault({ route: 'files/download', fault: { do: 'stall', of: 'answer', bytes: 500 } })

    const waiting = rig.raw('/2/files/download', {
      method: 'POST',
      headers: { Authorization: `Bearer ${rig.accessToken}`, 'Dropbox-API-Arg': '{"path":"/a"}' },
      signal: AbortSignal.timeout(200),
    })

    await expect(waiting).rejects.toThrow()
    expect(rig.emulator.recorder.records.at(-1)?.answerBytes).toBe(500)
  })

  test('the upload of a file stands still until the client leaves, and nothing is stored', async () => {
    const rig = await aDropbox()
    rig.emulator.fault({ route: 'files/upload', fault: { do: 'stall', of: 'request', bytes: 10 } })

    const waiting = rig.raw('/2/files/upload', {
      method: 'POST',
      headers: { Authorization: `Bearer ${rig.accessToken}`, 'Dropbox-API-Arg': '{"path":"/a"}' },
      body: Buffer.alloc(5000),
      signal: AbortSignal.timeout(200),
    })

    await expect(waiting).rejects.toThrow()
    expect(held(rig, '/a')).toBeUndefined()
  })

  test.each([true, false])('an error comes while the body is still being sent (close: %s)', async (close) => {
    const rig = await aDropbox()
    const id = await sessionOf(rig)
    rig.emulator.fault({
      route: '*append_v2',
      fault: { do: 'early', bytes: 65_536, name: 'no-such-session', close },
    })

    const status = await statusBeforeTheEnd(rig, id)

    expect(status).toBe(409)
  })

  test('the line has a width, shared by all', async () => {
    const rig = await aDropbox()
    rig.emulator.pace.set({ bytesPerSecond: 1_000_000 })
    const startMs = performance.now()

    await Promise.all(['/a', '/b'].map((path) => rig.put(path, Buffer.alloc(150_000))))

    expect(performance.now() - startMs).toBeGreaterThan(250)
  })
})

/** Sends a part of a body and closes the connection. */
function leaveInTheMiddle(rig: Rig, id: string): Promise<void> {
  return new Promise((resolve) => {
    const sent = openAppend(rig, id, 1_000_000)
    sent.on('error', () => resolve())
    sent.write(Buffer.alloc(100_000), () => setTimeout(() => sent.destroy(new Error('left')), 50))
  })
}

/** The status of an answer to a request whose body never ends. */
function statusBeforeTheEnd(rig: Rig, id: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = openAppend(rig, id, 10_000_000)
    sent.on('error', reject)
    sent.on('response', (response) => {
      resolve(response.statusCode)
      sent.on('error', () => undefined)
      sent.removeListener('error', reject)
      sent.destroy()
    })
    sent.write(Buffer.alloc(100_000))
  })
}

function openAppend(rig: Rig, id: string, bytes: number): ReturnType<typeof httpRequest> {
  return httpRequest(`${rig.emulator.url}/2/files/upload_session/append_v2`, {
    method: 'POST',
    agent: new Agent(),
    headers: {
      Authorization: `Bearer ${rig.accessToken}`,
      'Dropbox-API-Arg': ascii({ cursor: { session_id: id, offset: 0 } }),
      'Content-Length': bytes,
    },
  })
}

describe('behaviours', () => {
  test('a hash may be wrong or missing (F65)', async () => {
    const rig = await aDropbox()
    rig.emulator.fault({ fault: { do: 'behave', name: 'wrong-hash' } })
    rig.emulator.fault({ nth: 2, fault: { do: 'behave', name: 'no-hash' } })

    const wrong = await rig.put('/a', 'x')
    const missing = await rig.put('/b', 'x')

    expect(wrong.body).not.toMatchObject({ content_hash: contentHash('x') })
    expect(missing.body).not.toHaveProperty('content_hash')
  })

  test('the body was damaged on its way', async () => {
    const rig = await aDropbox()
    rig.emulator.fault({ fault: { do: 'behave', name: 'hash-mismatch' } })

    expect((await rig.put('/a', 'x')).body).toMatchObject({ error: { '.tag': 'content_hash_mismatch' } })
  })

  test('a session may be forgotten', async () => {
    const rig = await aDropbox()
    const id = await sessionOf(rig, 'ab')
    rig.emulator.fault({ route: '*append_v2', fault: { do: 'behave', name: 'forget-session' } })

    expect((await append(rig, id, 2, 'c')).body).toMatchObject({ error: { '.tag': 'not_found' } })
  })

  test('the account is full (F68), the write lock is held', async () => {
    const rig = await aDropbox()
    rig.emulator.fault({ fault: { do: 'behave', name: 'full' } })
    rig.emulator.fault({ nth: 2, fault: { do: 'behave', name: 'write-lock' } })

    expect((await rig.put('/a', 'x')).body).toMatchObject({ error: { reason: { '.tag': 'insufficient_space' } } })
    expect((await rig.put('/a', 'x')).body).toMatchObject({
      error: { reason: { '.tag': 'too_many_write_operations' } },
    })
  })

  test('some entries of a batch fail', async () => {
    const rig = await aDropbox()
    const ids = [await sessionOf(rig), await sessionOf(rig)]
    for (const id of ids) {
      await rig.content('files/upload_session/append_v2', { cursor: { session_id: id, offset: 0 }, close: true })
    }
    rig.emulator.fault({ route: '*finish_batch_v2', fault: { do: 'behave', name: 'entries-write-lock', value: 1 } })

    const entries = ids.map((id, index) => ({ cursor: { session_id: id, offset: 0 }, commit: { path: `/${index}` } }))
    const reply = await rig.rpc('files/upload_session/finish_batch_v2', { entries })

    expect(reply.body).toMatchObject({
      entries: [{ failure: { '.tag': 'too_many_write_operations' } }, { '.tag': 'success' }],
    })
  })

  test('listings are stale, short, empty with more to come, and their cursors die', async () => {
    const rig = await aDropbox()
    for (const path of ['/a', '/b']) await rig.put(path, 'x')
    const list = async (name: string): Promise<Record<string, unknown>> => {
      rig.emulator.fault({ route: 'files/list_folder', fault: { do: 'behave', name } })
      return (await rig.rpc('files/list_folder', { path: '' })).body as Record<string, unknown>
    }

    expect(await list('stale-listing')).toMatchObject({ entries: [{ path_lower: '/a' }], has_more: false })
    expect(await list('short-page')).toMatchObject({ entries: [{ path_lower: '/a' }], has_more: true })
    const empty = await list('empty-page')
    expect(empty).toMatchObject({ entries: [], has_more: true })
    const rest = await rig.rpc('files/list_folder/continue', { cursor: empty['cursor'] })
    expect(rest.body).toMatchObject({ entries: [{ path_lower: '/a' }, { path_lower: '/b' }], has_more: false })
    rig.emulator.fault({ route: '*continue', fault: { do: 'behave', name: 'reset-cursor' } })
    const reset = await rig.rpc('files/list_folder/continue', { cursor: empty['cursor'] })
    expect(reset.body).toMatchObject({ error: { '.tag': 'reset' } })
  })

  test('a download is corrupt, forbidden by law, or not a file', async () => {
    const rig = await aDropbox()
    await rig.put('/a', 'abc')
    const download = (name: string): Promise<Reply> => {
      rig.emulator.fault({ route: 'files/download', fault: { do: 'behave', name } })
      return rig.content('files/download', { path: '/a' })
    }

    const corrupt = await download('corrupt')
    expect([corrupt.bytes.length, corrupt.bytes.toString() === 'abc']).toEqual([3, false])
    expect((await download('restricted-content')).status).toBe(409)
    expect((await download('unsupported-file')).status).toBe(409)
  })
})

describe('logins', () => {
  const refresh = (rig: Rig, refreshToken: string, path = '/oauth2/token'): Promise<Reply> =>
    rig.raw(path, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
        client_id: rig.emulator.auth.client.clientId,
      }),
    })

  test('an access token ends after four hours, its refresh token does not (F75)', async () => {
    const rig = await aDropbox()
    rig.emulator.clock.advance(4 * 3600 * 1000)

    const late = await rig.put('/a', 'x')
    const fresh = await refresh(rig, rig.refreshToken)
    const { access_token } = fresh.body as { readonly access_token: string }
    const again = await rig.raw('/2/users/get_space_usage', {
      method: 'POST',
      headers: { Authorization: `Bearer ${access_token}` },
    })

    expect([late.status, late.body]).toMatchObject([401, { error: { '.tag': 'expired_access_token' } }])
    expect(fresh.body).toMatchObject({ expires_in: 14_400, token_type: 'bearer' })
    expect(fresh.body).not.toHaveProperty('refresh_token')
    expect(again.status).toBe(200)
  })

  test('tokens expire in the middle, and are revoked (F77)', async () => {
    const rig = await aDropbox()
    rig.emulator.fault({ fault: { do: 'expire-token' } })
    expect((await rig.put('/a', 'x')).status).toBe(401)
    rig.emulator.fault({ fault: { do: 'revoke-login' } })
    const revoked = await rig.put('/a', 'x')
    const dead = await refresh(rig, rig.refreshToken)

    expect(revoked.body).toMatchObject({ error: { '.tag': 'invalid_access_token' } })
    expect([dead.status, dead.body]).toMatchObject([400, { error: 'invalid_grant' }])
  })

  test('parameters may come in the query, and a client as Basic', async () => {
    const rig = await aDropbox()
    const { clientId, clientSecret } = rig.emulator.auth.client
    const query = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: rig.refreshToken })
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64')

    const byQuery = await rig.raw(`/oauth2/token?${query.toString()}&client_id=${clientId}`, { method: 'POST' })
    const byBasic = await rig.raw('/1/oauth2/token', {
      method: 'POST',
      headers: { Authorization: `Basic ${basic}` },
      body: query,
    })

    expect([byQuery.status, byBasic.status]).toEqual([200, 200])
  })

  test('consent gives a code that is good once, for who has the verifier', async () => {
    const rig = await aDropbox()
    const { clientId } = rig.emulator.auth.client
    // RFC 7636, appendix B.
    const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
    const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
    const asked = `/oauth2/authorize?client_id=${clientId}&response_type=code&code_challenge=${challenge}`
    const page = await rig.raw(asked, { method: 'POST', body: new URLSearchParams({ decision: 'allow' }) })
    const code = /value="([^"]+)"/.exec(page.bytes.toString())?.[1] ?? ''
    const exchange = (): Promise<Reply> =>
      rig.raw('/oauth2/token', {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          code,
          client_id: clientId,
          code_verifier: verifier,
        }),
      })

    const first = await exchange()
    const second = await exchange()

    expect(first.body).toMatchObject({ token_type: 'bearer', expires_in: 14_400, scope: expect.any(String) as string })
    expect(first.body).toHaveProperty('refresh_token')
    expect(second.status).toBe(400)
  })

  test('a login without a scope is told which one it lacks', async () => {
    const rig = await aDropbox()
    const { accessToken } = rig.emulator.auth.login(['files.metadata.read'])

    const reply = await rig.content('files/upload', { path: '/a' }, 'x', { Authorization: `Bearer ${accessToken}` })

    expect(reply.body).toMatchObject({
      error: { '.tag': 'missing_scope', required_scope: 'files.content.write' },
    })
  })

  test('no login at all is a 400, an unknown one a 401', async () => {
    const rig = await aDropbox()

    expect((await rig.raw('/2/users/get_space_usage', { method: 'POST' })).status).toBe(400)
    const unknown = await rig.content('files/upload', { path: '/a' }, 'x', { Authorization: 'Bearer nonsense' })
    expect(unknown.status).toBe(401)
  })

  test('a revoked login is dead with its refresh token', async () => {
    const rig = await aDropbox()

    expect((await rig.rpc('auth/token/revoke')).body).toBeNull()
    expect((await rig.put('/a', 'x')).status).toBe(401)
    expect((await refresh(rig, rig.refreshToken)).status).toBe(400)
  })
})
