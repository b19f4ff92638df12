/** What can be made to go wrong at Box, as a client sees it, and what then lies there. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type BoxRig, aBox, type Reply, sha1Hex, shaDigest } from './box-rig.ts'

const code = (reply: Reply): unknown => (reply.body as { readonly code?: string } | undefined)?.code

const held = (rig: BoxRig, path: string): string | undefined => rig.emulator.provider.owner.read(path)?.toString()

describe('a refusal by its name', () => {
  test.each([
    ['throttle', 429, 'rate_limit_exceeded'],
    ['expired-token', 401, undefined],
    ['invalid-token', 401, undefined],
    ['bad-request', 400, 'bad_request'],
    ['server-error', 500, 'internal_server_error'],
    ['unavailable', 503, 'unavailable'],
    ['bad-gateway', 502, undefined],
    ['no-rights', 403, 'access_denied_insufficient_permissions'],
    ['no-scope', 403, 'insufficient_scope'],
    ['full', 403, 'storage_limit_exceeded'],
    ['too-large', 403, 'file_size_limit_exceeded'],
    ['reserved', 409, 'name_temporarily_reserved'],
    ['blocked', 409, 'operation_blocked_temporary'],
    ['parts-mismatch', 400, 'parts_mismatch'],
    ['no-such-session', 404, 'not_found'],
    ['session-expired', 410, 'session_expired'],
  ])('%s', async (name, status, word) => {
    const rig = await aBox()
    rig.emulator.fault({ route: 'files/upload', fault: { do: 'refuse', name } })

    const reply = await rig.put('a', 'x')

    expect([reply.status, code(reply)]).toEqual([status, word])
    expect(held(rig, 'a')).toBeUndefined()
    expect((await rig.put('a', 'x')).status).toBe(201)
  })

  test('of a token', async () => {
    const { emulator, token, refreshToken } = await aBox()
    emulator.fault({ route: 'oauth2/token', fault: { do: 'refuse', name: 'bad-grant' } })
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken }

    expect((await token(form)).body).toMatchObject({ error: 'invalid_grant' })
    expect((await token(form)).status).toBe(200)
  })
})

test.each([
  ['lower', 'retry-after'],
  ['proper', 'Retry-After'],
  ['upper', 'RETRY-AFTER'],
] as const)('headers are spelled by switch: %s', async (headerCase, name) => {
  const { emulator } = await aBox({ rules: { headerCase } })

  expect(Object.keys(emulator.provider.refusal('throttle', 7).headers)).toContain(name)
})

test('an upload whose answer is lost lies there, and is told as the conflict of the next one', async () => {
  const rig = await aBox()
  rig.emulator.fault({ route: 'files/upload', fault: { do: 'cut', when: 'after' } })

  await expect(rig.put('a', 'x')).rejects.toThrow()

  expect(held(rig, 'a')).toBe('x')
  expect((await rig.put('a', 'x')).body).toMatchObject({
    code: 'item_name_in_use',
    context_info: { conflicts: { sha1: sha1Hex('x') } },
  })
})

test('of an upload that is cut nothing stays', async () => {
  const rig = await aBox()
  rig.emulator.fault({ route: 'files/upload', fault: { do: 'cut-request', bytes: 5000, keep: true } })

  await expect(rig.put('a', Buffer.alloc(20_000))).rejects.toThrow()

  expect(rig.emulator.provider.owner.list()).toEqual([])
  expect((await rig.put('a', 'x')).status).toBe(201)
})

test('a name that another upload is filling right now is reserved', async () => {
  const rig = await aBox()
  rig.emulator.fault({ route: 'files/upload', fault: { do: 'drip', of: 'request', bytesPerSecond: 1_000_000 } })
  const first = rig.put('a', Buffer.alloc(400_000))
  await expect.poll(() => rig.emulator.provider.account.reserved.size).toBe(1)

  const second = await rig.put('A', 'y')

  expect([second.status, code(second)]).toEqual([409, 'name_temporarily_reserved'])
  expect((await first).status).toBe(201)
})

test('a rotation whose answer is lost has happened', async () => {
  const rig = await aBox()
  rig.emulator.fault({ route: 'oauth2/token', fault: { do: 'cut', when: 'after' } })
  const form = { grant_type: 'refresh_token', refresh_token: rig.refreshToken }

  await expect(rig.token(form)).rejects.toThrow()

  expect((await rig.token(form)).body).toMatchObject({ error: 'invalid_grant' })
})

test('wrong hashes, missing hashes, bent downloads, patience before a download', async () => {
  const rig = await aBox()
  const behave = (route: string, name: string): unknown => rig.emulator.fault({ route, fault: { do: 'behave', name } })
  const entry = z.object({ entries: z.tuple([z.object({ id: z.string(), sha1: z.string().optional() })]) })
  behave('files/upload', 'wrong-hash')
  const wrong = entry.parse((await rig.put('a', 'abc')).body).entries[0]
  behave('folders/items', 'no-hash')
  const missing = entry.parse((await rig.api('GET', '/2.0/folders/0/items')).body).entries[0]

  behave('files/content', 'not-ready')
  behave('download', 'corrupt')
  const patience = await rig.api('GET', `/2.0/files/${wrong.id}/content`)
  const found = await rig.api('GET', `/2.0/files/${wrong.id}/content`)
  const bent = await rig.raw((found.headers.get('location') ?? '').slice(rig.emulator.url.length))

  expect([wrong.sha1, missing.sha1]).toEqual(['f'.repeat(40), undefined])
  expect([patience.status, patience.headers.get('retry-after')]).toEqual([202, '1'])
  expect(bent.bytes.toString()).not.toBe('abc')
})

describe('a session', () => {
  const content = 'abcdefghijkl'
  const rules = { sessionBytesMin: 10, partBytes: 12 }

  async function aFilledSession(
    rig: BoxRig,
  ): Promise<{ readonly path: string; readonly commit: () => Promise<Reply> }> {
    const wish = { folder_id: '0', file_name: 'a', file_size: 12 }
    const reply = await rig.api('POST', '/api/2.0/files/upload_sessions', wish)
    const path = `/api/2.0/files/upload_sessions/${z.object({ id: z.string() }).parse(reply.body).id}`
    const headers = { Digest: shaDigest(content), 'Content-Range': 'bytes 0-11/12' }
    const part = await rig.send('PUT', path, content, headers).catch(() => undefined)
    const parts = [z.object({ part: z.object({ part_id: z.string() }) }).safeParse(part?.body).data?.part]
    const sized = parts.map((each) => ({ part_id: each?.part_id ?? '', offset: 0, size: 12 }))
    return { path, commit: () => rig.api('POST', `${path}/commit`, { parts: sized }, { Digest: shaDigest(content) }) }
  }

  test('that is answered 500 after its part was stored has the part', async () => {
    const rig = await aBox({ rules })
    rig.emulator.fault({ route: 'sessions/part', fault: { do: 'refuse', name: 'server-error', when: 'after' } })

    const { path } = await aFilledSession(rig)

    expect((await rig.api('GET', `${path}/parts`)).body).toMatchObject({ total_count: 1 })
  })

  test('asks for patience without doing anything, and for patience while it is done', async () => {
    const rig = await aBox({ rules })
    const { commit } = await aFilledSession(rig)
    const behave = (name: string): unknown =>
      rig.emulator.fault({ route: 'sessions/commit', fault: { do: 'behave', name, value: 3 } })

    behave('commit-202')
    const first = await commit()
    const before = held(rig, 'a')
    behave('commit-later')
    const second = await commit()

    expect([first.status, first.headers.get('retry-after'), before]).toEqual([202, '3', undefined])
    expect([second.status, held(rig, 'a')]).toEqual([202, content])
    expect((await commit()).status).toBe(404)
  })

  test('is forgotten, or in conflict with a live one, as asked', async () => {
    const rig = await aBox({ rules })
    const { path } = await aFilledSession(rig)
    rig.emulator.fault({ route: 'sessions/create', fault: { do: 'behave', name: 'session-conflict' } })
    rig.emulator.fault({ route: 'sessions/status', nth: 2, fault: { do: 'behave', name: 'forget-session' } })

    const wish = { folder_id: '0', file_name: 'a', file_size: 12 }
    const conflict = await rig.api('POST', '/api/2.0/files/upload_sessions', wish)

    expect(code(conflict)).toBe('session_conflict')
    expect([(await rig.api('GET', path)).status, (await rig.api('GET', path)).status]).toEqual([200, 404])
  })
})
