/** Box's routes as the provider's documents tell them, each answer held against the OpenAPI description. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type BoxRig, aBox, fileOf, idOf, type Reply, sha1Hex, shaDigest } from './box-rig.ts'

const code = (reply: Reply): unknown => (reply.body as { readonly code?: string } | undefined)?.code

const listed = z.object({
  entries: z.array(z.object({ name: z.string(), id: z.string() })),
  next_marker: z.string().nullish(),
})
const namesIn = (reply: Reply): readonly string[] => listed.parse(reply.body).entries.map(({ name }) => name)

async function aFolder(rig: BoxRig, name: string, parent = '0'): Promise<string> {
  return idOf(await rig.api('POST', '/2.0/folders', { name, parent: { id: parent } }))
}

describe('a login', () => {
  test('is wanted by all but the addresses of tokens', async () => {
    const { raw } = await aBox()

    const reply = await raw('/2.0/users/me', { headers: { Authorization: 'Bearer nobody' } })

    expect([reply.status, reply.bytes.length]).toEqual([401, 0])
    expect(reply.headers.get('www-authenticate')).toContain('invalid_token')
  })

  test('that ended says so', async () => {
    const { emulator, api } = await aBox()
    emulator.clock.advance(3601_000)

    expect((await api('GET', '/2.0/users/me')).headers.get('www-authenticate')).toContain('expired_token')
  })

  test('a refresh token is good once, and brings the next one', async () => {
    const { token, refreshToken, api } = await aBox()

    const first = await token({ grant_type: 'refresh_token', refresh_token: refreshToken })
    const again = await token({ grant_type: 'refresh_token', refresh_token: refreshToken })
    const { refresh_token } = z.object({ refresh_token: z.string() }).parse(first.body)
    const next = await token({ grant_type: 'refresh_token', refresh_token })

    expect(first.body).toMatchObject({ token_type: 'bearer', expires_in: 3600, restricted_to: [] })
    expect([again.status, again.body]).toEqual([400, expect.objectContaining({ error: 'invalid_grant' })])
    expect(next.status).toBe(200)
    expect((await api('GET', '/2.0/users/me')).status).toBe(401)
  })

  test('with grace a used refresh token is taken a while longer, by switch; so is its access token', async () => {
    const { token, refreshToken, api, emulator } = await aBox({ graceMs: 60_000, rotationEndsAccess: false })
    const ask = (): Promise<Reply> => token({ grant_type: 'refresh_token', refresh_token: refreshToken })

    const statuses = [(await ask()).status, (await ask()).status]
    emulator.clock.advance(61_000)

    expect([...statuses, (await ask()).status]).toEqual([200, 200, 400])
    expect((await api('GET', '/2.0/users/me')).status).toBe(200)
  })

  test('a refresh token that was not used for sixty days is none', async () => {
    const { token, refreshToken, emulator } = await aBox()
    emulator.clock.advance(60 * 24 * 3600_000)

    expect((await token({ grant_type: 'refresh_token', refresh_token: refreshToken })).status).toBe(400)
  })

  test('a wrong secret consumes nothing; it may come as Basic', async () => {
    const { token, raw, refreshToken, emulator } = await aBox()
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken }
    const { clientId, clientSecret } = emulator.auth.client
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64')

    const wrong = await token({ ...form, client_secret: 'wrong' })
    const headers = { Authorization: `Basic ${basic}` }
    const right = await raw('/api/oauth2/token', { method: 'POST', headers, body: new URLSearchParams(form) })

    expect([wrong.status, right.status]).toEqual([400, 200])
  })

  test('a code of the consent page is exchanged within half a minute', async () => {
    const { raw, token, emulator } = await aBox()
    const { clientId } = emulator.auth.client
    const redirect_uri = 'http://localhost:53682/'
    const asked = new URLSearchParams({ response_type: 'code', client_id: clientId, redirect_uri, state: 's' })
    const body = new URLSearchParams({ decision: 'allow' })
    const consent = (): Promise<Reply> => raw(`/api/oauth2/authorize?${asked.toString()}`, { method: 'POST', body })
    const codeOf = (reply: Reply): string => new URL(reply.headers.get('location') ?? '').searchParams.get('code') ?? ''

    const code = codeOf(await consent())
    const good = await token({ grant_type: 'authorization_code', code, redirect_uri })
    const late = codeOf(await consent())
    emulator.clock.advance(31_000)

    expect(good.body).toMatchObject({ refresh_token: expect.any(String) as unknown })
    expect((await token({ grant_type: 'authorization_code', code, redirect_uri })).status).toBe(400)
    expect((await token({ grant_type: 'authorization_code', code: late, redirect_uri })).status).toBe(400)
  })

  test('an application has a token without a refresh token: by its secret or by an assertion that is used once', async () => {
    const { token } = await aBox()
    const claims = { exp: Math.floor(Date.now() / 1000) + 30, jti: 'x'.repeat(32) }
    const assertion = `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`
    const jwt = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }

    const ccg = await token({
      grant_type: 'client_credentials',
      box_subject_type: 'enterprise',
      box_subject_id: '1',
    })

    expect(ccg.body).not.toHaveProperty('refresh_token')
    expect([ccg.status, (await token(jwt)).status, (await token(jwt)).status]).toEqual([200, 200, 400])
    expect((await token({ grant_type: 'client_credentials' })).status).toBe(400)
  })

  test('revoking ends both tokens', async () => {
    const { raw, token, api, refreshToken, emulator } = await aBox()
    const { clientId, clientSecret } = emulator.auth.client
    const body = new URLSearchParams({ client_id: clientId, client_secret: clientSecret, token: refreshToken })

    expect((await raw('/oauth2/revoke', { method: 'POST', body })).status).toBe(200)

    expect((await api('GET', '/2.0/users/me')).status).toBe(401)
    expect((await token({ grant_type: 'refresh_token', refresh_token: refreshToken })).status).toBe(400)
  })
})

test('the account tells its space and its largest file', async () => {
  const { api, put } = await aBox({ rules: { quotaBytes: 1000, fileBytesMax: 500 } })
  await put('a', '12345')

  expect((await api('GET', '/2.0/users/me')).body).toMatchObject({
    space_amount: 1000,
    space_used: 5,
    max_upload_size: 500,
  })
})

describe('folders', () => {
  test('are made once; the second is told of the first in an array', async () => {
    const { api } = await aBox()
    const wish = { name: 'Docs', parent: { id: '0' } }

    const first = await api('POST', '/2.0/folders', wish)
    const second = await api('POST', '/2.0/folders', { ...wish, name: 'docs' })

    expect(first.status).toBe(201)
    expect([second.status, code(second)]).toEqual([409, 'item_name_in_use'])
    expect(second.body).toMatchObject({ context_info: { conflicts: [{ type: 'folder', id: idOf(first) }] } })
  })

  test('are renamed, moved, removed, restored and purged', async () => {
    const rig = await aBox()
    const { api } = rig
    const [a, b] = [await aFolder(rig, 'a'), await aFolder(rig, 'b')]
    await rig.put('', 'x', { attributes: { name: 'f', parent: { id: a } } })

    const moved = await api('PUT', `/2.0/folders/${a}`, { name: 'A', parent: { id: b } })
    const full = await api('DELETE', `/2.0/folders/${a}`)
    const gone = await api('DELETE', `/2.0/folders/${a}?recursive=true`)

    expect(moved.body).toMatchObject({ name: 'A', parent: { id: b } })
    expect([full.status, code(full), gone.status]).toEqual([400, 'folder_not_empty', 204])
    expect(code(await api('GET', `/2.0/folders/${a}`))).toBe('trashed')
    expect(namesIn(await api('GET', '/2.0/folders/trash/items'))).toEqual(['A'])
    expect((await api('POST', `/2.0/folders/${a}`)).status).toBe(201)
    expect(rig.emulator.provider.owner.read('b/A/f')?.toString()).toBe('x')
    await api('DELETE', `/2.0/folders/${a}?recursive=true`)
    expect((await api('DELETE', `/2.0/folders/${a}/trash`)).status).toBe(204)
    expect(code(await api('GET', `/2.0/folders/${a}/trash`))).toBe('not_found')
  })

  test('a folder does not go into itself', async () => {
    const rig = await aBox()
    const [a] = [await aFolder(rig, 'a')]
    const b = await aFolder(rig, 'b', a)

    expect((await rig.api('PUT', `/2.0/folders/${a}`, { parent: { id: b } })).status).toBe(400)
  })
})

describe('a listing', () => {
  test('goes page by page, each once, and ends with null', async () => {
    const { api, put } = await aBox()
    for (const name of ['a', 'b', 'c']) await put(name, name)

    const first = await api('GET', '/2.0/folders/0/items?usemarker=true&limit=2')
    const marker = listed.parse(first.body).next_marker ?? ''
    const second = await api('GET', `/2.0/folders/0/items?usemarker=true&limit=2&marker=${marker}`)

    expect([...namesIn(first), ...namesIn(second)]).toEqual(['a', 'b', 'c'])
    expect(second.body).toHaveProperty('next_marker', null)
    expect(second.body).not.toHaveProperty('order')
  })

  test('has what was asked for beside the base', async () => {
    const { api, put } = await aBox()
    await put('a', 'abc')

    const { body } = await api('GET', '/2.0/folders/0/items?fields=sha1,size')

    expect((body as { entries: unknown[] }).entries).toEqual([
      { type: 'file', id: expect.any(String) as unknown, etag: '0', sha1: sha1Hex('abc'), size: 3 },
    ])
  })

  test('by offset tells the total', async () => {
    const { api, put } = await aBox()
    for (const name of ['a', 'b', 'c']) await put(name, name)

    const reply = await api('GET', '/2.0/folders/0/items?offset=1&limit=1')

    expect(namesIn(reply)).toEqual(['b'])
    expect(reply.body).toMatchObject({ total_count: 3, offset: 1, order: [expect.anything()] })
  })

  test.each(['web-link', 'unknown-type'])('may hold a stranger: %s', async (name) => {
    const { api, emulator } = await aBox()
    emulator.fault({ fault: { do: 'behave', name } })

    const { body } = await api('GET', '/2.0/folders/0/items')

    expect((body as { entries: { type: string }[] }).entries[0]?.type).toMatch(/web_link|hub/)
  })
})

describe('names', () => {
  test.each(['', '.', '..', 'a\\b', 'a/b', 'end ', 'tab\t', 'del\u007f'])('%j is refused', async (name) => {
    const { put } = await aBox()

    const reply = await put(name, 'x')

    expect([reply.status, code(reply)]).toEqual([400, 'item_name_invalid'])
  })

  test('of more than 255 units are too long; odd ones are fine', async () => {
    const { put } = await aBox()

    expect(code(await put('x'.repeat(256), 'x'))).toBe('item_name_too_long')
    for (const name of [' a', 'a.', '<>:?*|"', '~$x', 'x'.repeat(255)]) expect((await put(name, 'x')).status).toBe(201)
  })

  test('of files and folders share one space, whatever their case', async () => {
    const rig = await aBox()
    const folder = await aFolder(rig, 'Both')

    const reply = await rig.put('both', 'x')

    expect([reply.status, code(reply)]).toEqual([409, 'item_name_in_use'])
    expect(reply.body).toMatchObject({ context_info: { conflicts: [{ type: 'folder', id: folder, name: 'Both' }] } })
  })

  test('an incoming name is normalised by switch, the one that lies there is not', async () => {
    const { put } = await aBox({ rules: { normalisesIncoming: true } })
    await put('\u798f', 'x')
    await put('\u2167', 'x')

    expect((await put('\ufa1b', 'x')).status).toBe(409)
    expect((await put('VIII', 'x')).status).toBe(201)
  })
})

describe('an upload in one call', () => {
  test('tells the file in whole, its time with the offset of the enterprise', async () => {
    const { put } = await aBox()
    const attributes = { name: 'a', parent: { id: '0' }, content_modified_at: '2001-02-03T04:05:06Z' }

    const reply = await put('', 'abc', { attributes, headers: { 'Content-MD5': sha1Hex('abc') } })

    expect(reply.status).toBe(201)
    expect(reply.body).toMatchObject({
      total_count: 1,
      entries: [
        {
          type: 'file',
          etag: '0',
          sha1: sha1Hex('abc'),
          size: 3,
          content_modified_at: '2001-02-02T20:05:06-08:00',
          item_status: 'active',
          parent: { id: '0' },
        },
      ],
    })
  })

  test('may be empty, or large, or hold its own boundary nearly', async () => {
    const { put, emulator } = await aBox()
    const large = Buffer.alloc(3_000_000, '\r\n--')

    await put('empty', '')
    await put('large', large)

    expect(emulator.provider.owner.read('empty')?.length).toBe(0)
    expect(emulator.provider.owner.read('large')?.equals(large)).toBe(true)
  })

  test('wants the attributes first', async () => {
    const { put } = await aBox()

    expect(code(await put('a', 'x', { isReversed: true }))).toBe('metadata_after_file_contents')
  })

  test('is refused when it is not what it says', async () => {
    const { put, emulator } = await aBox()

    expect(code(await put('a', 'abc', { headers: { 'Content-MD5': sha1Hex('abd') } }))).toBe('bad_digest')
    expect(emulator.provider.owner.list()).toEqual([])
  })

  test('of a name that is there names what is there: one object', async () => {
    const { put } = await aBox()
    const first = fileOf(await put('a', 'x'))

    const second = await put('A', 'x')

    expect([second.status, code(second)]).toEqual([409, 'item_name_in_use'])
    expect(second.body).toMatchObject({
      context_info: { conflicts: { type: 'file', id: first.id, name: 'a', etag: '0', sha1: sha1Hex('x') } },
    })
  })

  test('the conflict may be an array, by switch', async () => {
    const { put } = await aBox({ rules: { fileConflicts: 'array' } })
    await put('a', 'x')

    expect((await put('a', 'x')).body).toMatchObject({ context_info: { conflicts: [{ type: 'file' }] } })
  })

  test('makes a version in the place of one etag', async () => {
    const { put, api, emulator } = await aBox()
    const { id, etag } = fileOf(await put('a', 'one'))
    const path = `/api/2.0/files/${id}/content`

    const good = await put('', 'two', { path, attributes: {}, headers: { 'If-Match': etag } })
    const stale = await put('', 'three', { path, attributes: {}, headers: { 'If-Match': etag } })

    expect([good.status, fileOf(good)]).toEqual([201, expect.objectContaining({ id, etag: '1' })])
    expect([stale.status, code(stale)]).toEqual([412, 'precondition_failed'])
    expect(emulator.provider.owner.read('a')?.toString()).toBe('two')
    expect((await api('GET', `/2.0/files/${id}/versions`)).body).toMatchObject({
      total_count: 1,
      entries: [{ sha1: sha1Hex('one') }],
    })
  })

  test('a free account overwrites', async () => {
    const { put, api } = await aBox({ rules: { keepsVersions: false } })
    const { id } = fileOf(await put('a', 'one'))
    await put('', 'two', { path: `/api/2.0/files/${id}/content`, attributes: {} })

    expect((await api('GET', `/2.0/files/${id}/versions`)).body).toMatchObject({ total_count: 0 })
    expect((await api('GET', '/2.0/users/me')).body).toMatchObject({ space_used: 3 })
  })

  test('is refused without room, and for a file beyond the plan', async () => {
    const { put } = await aBox({ rules: { quotaBytes: 10, fileBytesMax: 8 } })

    expect(code(await put('a', '123456789'))).toBe('file_size_limit_exceeded')
    await put('b', '1234567')
    expect(code(await put('c', '1234'))).toBe('storage_limit_exceeded')
  })

  test('of many in one minute is refused until the minute is over, by switch', async () => {
    const { put, emulator } = await aBox({ rules: { uploadsPerMinute: 2 } })
    await put('a', 'x')
    await put('b', 'x')

    const third = await put('c', 'x')
    emulator.clock.advance(60_000)

    expect([third.status, Number(third.headers.get('retry-after')) > 50]).toEqual([429, true])
    expect((await put('c', 'x')).status).toBe(201)
  })
})

describe('a check before an upload', () => {
  test('tells where to upload, or what is in the way', async () => {
    const { api, put, emulator } = await aBox({ rules: { quotaBytes: 10 } })
    const wish = { name: 'a', parent: { id: '0' } }

    const free = await api('OPTIONS', '/2.0/files/content/', { ...wish, size: 3 })
    await put('a', 'x')
    const taken = await api('OPTIONS', '/2.0/files/content', wish)
    const full = await api('OPTIONS', '/2.0/files/content', { ...wish, name: 'b', size: 11 })
    const nowhere = await api('OPTIONS', '/2.0/files/content', { name: 'a', parent: { id: '77' } })

    expect(free.body).toEqual({ upload_url: `${emulator.url}/api/2.0/files/content` })
    expect([taken.status, taken.body]).toEqual([
      409,
      expect.objectContaining({
        context_info: { conflicts: expect.objectContaining({ name: 'a', sha1: sha1Hex('x') }) as unknown },
      }),
    ])
    expect([full.status, nowhere.status]).toEqual([403, 404])
  })

  test('of a new version passes its own name over', async () => {
    const { api, put } = await aBox()
    const { id } = fileOf(await put('a', 'x'))

    expect((await api('OPTIONS', `/2.0/files/${id}/content`, { size: 1 })).status).toBe(200)
  })
})

const small = { sessionBytesMin: 10, partBytes: 8 }

const session = z.object({
  id: z.string(),
  part_size: z.number(),
  session_endpoints: z.record(z.string(), z.string()),
})

async function aSession(rig: BoxRig, size: number, name = 'big'): Promise<string> {
  const reply = await rig.api('POST', '/api/2.0/files/upload_sessions', {
    folder_id: '0',
    file_name: name,
    file_size: size,
  })
  return session.parse(reply.body).id
}

function aPart(rig: BoxRig, id: string, content: string, from: number): Promise<Reply> {
  const bytes = Buffer.from(content).subarray(from, from + 8)
  return rig.send('PUT', `/api/2.0/files/upload_sessions/${id}`, bytes, {
    Digest: shaDigest(bytes),
    'Content-Range': `bytes ${from}-${from + bytes.length - 1}/${content.length}`,
  })
}

const partList = z.object({
  entries: z.array(z.object({ part_id: z.string(), offset: z.number(), size: z.number(), sha1: z.string() })),
})

async function commit(rig: BoxRig, id: string, content: string, over: object = {}): Promise<Reply> {
  const { entries } = partList.parse((await rig.api('GET', `/api/2.0/files/upload_sessions/${id}/parts`)).body)
  return rig.api(
    'POST',
    `/api/2.0/files/upload_sessions/${id}/commit`,
    { parts: entries, ...over },
    { Digest: shaDigest(content) },
  )
}

describe('an upload session', () => {
  const content = 'abcdefghijklmnopqrst'

  test('takes parts of its own size in any order, and commits them with their time', async () => {
    const rig = await aBox({ rules: small })
    const id = await aSession(rig, content.length)

    for (const from of [16, 0, 8]) expect((await aPart(rig, id, content, from)).status).toBe(200)
    const reply = await commit(rig, id, content, { attributes: { content_modified_at: '2001-02-03T04:05:06Z' } })

    expect(reply.status).toBe(201)
    expect(reply.body).toMatchObject({ entries: [{ name: 'big', sha1: sha1Hex(content), size: 20 }] })
    expect((await rig.api('GET', `/2.0/files/${fileOf(reply).id}`)).body).toMatchObject({
      content_modified_at: '2001-02-02T20:05:06-08:00',
    })
    expect(rig.emulator.provider.owner.read('big')?.toString()).toBe(content)
  })

  test('names its addresses at the host it was asked at', async () => {
    const rig = await aBox({ rules: small })

    const reply = await rig.api('POST', '/api/2.0/files/upload_sessions', {
      folder_id: '0',
      file_name: 'a',
      file_size: 20,
    })

    const { id, part_size, session_endpoints } = session.parse(reply.body)
    expect(part_size).toBe(8)
    expect(session_endpoints['commit']).toBe(`${rig.emulator.url}/api/2.0/files/upload_sessions/${id}/commit`)
  })

  test('is not for small files, nor for a name that is there', async () => {
    const rig = await aBox({ rules: small })
    await rig.put('a', 'x')
    const ask = (file_name: string, file_size: number): Promise<Reply> =>
      rig.api('POST', '/api/2.0/files/upload_sessions', { folder_id: '0', file_name, file_size })

    expect(code(await ask('b', 9))).toBe('file_size_too_small')
    expect(code(await ask('a', 20))).toBe('item_name_in_use')
  })

  test('a part that is stored never changes', async () => {
    const rig = await aBox({ rules: small })
    const id = await aSession(rig, content.length)
    await aPart(rig, id, content, 8)

    const again = await aPart(rig, id, content.toUpperCase(), 8)

    expect([again.status, code(again)]).toEqual([416, 'range_overlaps_existing_part'])
  })

  test.each([
    ['another size than its own', 'bytes 0-4/20', 416],
    ['another offset', 'bytes 4-11/20', 416],
    ['another total', 'bytes 0-7/21', 416],
    ['no range', 'none', 400],
  ])('a part of %s is refused', async (_title, range, status) => {
    const rig = await aBox({ rules: small })
    const id = await aSession(rig, content.length)
    const bytes = content.slice(0, 8)

    const reply = await rig.send('PUT', `/api/2.0/files/upload_sessions/${id}`, bytes, {
      Digest: shaDigest(bytes),
      'Content-Range': range,
    })

    expect(reply.status).toBe(status)
  })

  test('a part of a wrong digest is not stored', async () => {
    const rig = await aBox({ rules: small })
    const id = await aSession(rig, content.length)
    const headers = { Digest: shaDigest('other'), 'Content-Range': 'bytes 0-7/20' }

    const reply = await rig.send('PUT', `/api/2.0/files/upload_sessions/${id}`, content.slice(0, 8), headers)

    expect(code(reply)).toBe('bad_digest')
    expect((await aPart(rig, id, content, 0)).status).toBe(200)
  })

  test('lists its parts by offset, page by page', async () => {
    const rig = await aBox({ rules: small })
    const id = await aSession(rig, content.length)
    for (const from of [16, 8, 0]) await aPart(rig, id, content, from)

    const reply = await rig.api('GET', `/api/2.0/files/upload_sessions/${id}/parts?offset=1&limit=1`)

    expect(reply.body).toMatchObject({ total_count: 3, offset: 1, entries: [{ offset: 8, size: 8 }] })
    expect((await rig.api('GET', `/api/2.0/files/upload_sessions/${id}`)).body).toMatchObject({
      num_parts_processed: 3,
      total_parts: 3,
    })
  })

  test('is committed by its whole content only', async () => {
    const rig = await aBox({ rules: small })
    const id = await aSession(rig, content.length)
    await aPart(rig, id, content, 0)

    expect(code(await commit(rig, id, content))).toBe('parts_mismatch')
    for (const from of [8, 16]) await aPart(rig, id, content, from)
    expect(code(await commit(rig, id, 'other'))).toBe('digest_mismatch')
    expect((await commit(rig, id, content)).status).toBe(201)
    expect((await rig.api('GET', `/api/2.0/files/upload_sessions/${id}`)).status).toBe(404)
  })

  test('may ask for patience at its commit, and may answer a second one, by switch', async () => {
    const rig = await aBox({ rules: { ...small, commitWaits: 2, finishedSession: 'answers' } })
    const id = await aSession(rig, content.length)
    for (const from of [0, 8, 16]) await aPart(rig, id, content, from)

    const statuses: number[] = []
    for (let n = 0; n < 4; n++) statuses.push((await commit(rig, id, content)).status)

    expect(statuses).toEqual([202, 202, 201, 201])
    expect(rig.emulator.provider.owner.list().length).toBe(1)
  })

  test('commits a version in the place of one etag', async () => {
    const rig = await aBox({ rules: small })
    const { id: file } = fileOf(await rig.put('a', 'x'))
    const reply = await rig.api('POST', `/api/2.0/files/${file}/upload_sessions`, { file_size: 20 })
    const { id } = session.parse(reply.body)
    for (const from of [0, 8, 16]) await aPart(rig, id, content, from)
    const { entries } = partList.parse((await rig.api('GET', `/api/2.0/files/upload_sessions/${id}/parts`)).body)
    const path = `/api/2.0/files/upload_sessions/${id}/commit`
    const headers = { Digest: shaDigest(content) }

    const stale = await rig.api('POST', path, { parts: entries }, { ...headers, 'If-Match': '7' })
    const good = await rig.api('POST', path, { parts: entries }, { ...headers, 'If-Match': '0' })

    expect([stale.status, good.status]).toEqual([412, 201])
    expect(fileOf(good)).toMatchObject({ id: file, etag: '1' })
  })

  test('lives seven days, and ends when it is aborted', async () => {
    const rig = await aBox({ rules: small })
    const [old, dead] = [await aSession(rig, 20, 'a'), await aSession(rig, 20, 'b')]

    expect((await rig.api('DELETE', `/api/2.0/files/upload_sessions/${dead}`)).status).toBe(204)
    expect((await rig.api('GET', `/api/2.0/files/upload_sessions/${dead}`)).status).toBe(404)
    rig.emulator.clock.advance(7 * 24 * 3600_000 - 10_000)
    const fresh = rig.emulator.auth.login().accessToken
    const late = (): Promise<Reply> =>
      rig.raw(`/api/2.0/files/upload_sessions/${old}`, { headers: { Authorization: `Bearer ${fresh}` } })
    expect((await late()).status).toBe(200)
    rig.emulator.clock.advance(10_000)
    expect([(await late()).status, code(await late())]).toEqual([410, 'session_expired'])
  })

  test('a second one of a name tells the first, by switch', async () => {
    const rig = await aBox({ rules: { ...small, sessionConflict: 'same-name' } })
    const id = await aSession(rig, 20)
    const ask = { folder_id: '0', file_name: 'big', file_size: 20 }

    const reply = await rig.api('POST', '/api/2.0/files/upload_sessions', ask)

    expect([reply.status, code(reply)]).toEqual([409, 'session_conflict'])
    expect(reply.body).toMatchObject({ context_info: { session: { id } } })
  })
})

describe('a file', () => {
  test('gets another name, folder and time, in the place of one etag', async () => {
    const rig = await aBox()
    const { id } = fileOf(await rig.put('a', 'x'))
    const parent = await aFolder(rig, 'd')
    const change = { name: 'A', parent: { id: parent }, content_modified_at: '2011-06-01T00:00:00Z' }

    const stale = await rig.api('PUT', `/2.0/files/${id}`, change, { 'If-Match': '5' })
    const good = await rig.api('PUT', `/2.0/files/${id}`, change, { 'If-Match': '0' })

    expect(stale.status).toBe(412)
    expect(good.body).toMatchObject({
      name: 'A',
      etag: '1',
      parent: { id: parent },
      content_modified_at: '2011-05-31T17:00:00-07:00',
    })
    expect((await rig.api('GET', `/2.0/files/${id}`, undefined, { 'If-None-Match': '1' })).status).toBe(304)
  })

  test('is copied; what its name may not hold is left out', async () => {
    const { api, put, emulator } = await aBox()
    const { id } = fileOf(await put('a', 'x'))

    const reply = await api('POST', `/2.0/files/${id}/copy`, { name: 'b\\c', parent: { id: '0' } })

    expect([reply.status, emulator.provider.owner.read('bc')?.toString()]).toEqual([201, 'x'])
  })

  test('goes to the trash, which counts, and comes back unless its name is taken', async () => {
    const { api, put } = await aBox()
    const { id } = fileOf(await put('a', 'x'))

    expect((await api('DELETE', `/2.0/files/${id}`, undefined, { 'If-Match': '9' })).status).toBe(412)
    expect((await api('DELETE', `/2.0/files/${id}`)).status).toBe(204)
    expect([(await api('GET', `/2.0/files/${id}`)).status, code(await api('GET', `/2.0/files/${id}`))]).toEqual([
      404,
      'trashed',
    ])
    expect((await api('GET', '/2.0/users/me')).body).toMatchObject({ space_used: 1 })
    expect((await api('GET', `/2.0/files/${id}/trash`)).body).toMatchObject({ item_status: 'trashed' })
    const other = fileOf(await put('a', 'y'))
    expect((await api('POST', `/2.0/files/${id}`)).status).toBe(409)
    expect((await api('POST', `/2.0/files/${id}`, { name: 'b' })).status).toBe(201)
    await api('DELETE', `/2.0/files/${other.id}`)
    expect((await api('DELETE', `/2.0/files/${other.id}/trash`)).status).toBe(204)
    expect((await api('DELETE', `/2.0/files/${id}/trash`)).status).toBe(404)
  })

  test('is downloaded from another address, which needs no login, in whole or from a byte on', async () => {
    const { api, raw, put, emulator } = await aBox()
    const { id } = fileOf(await put('a', '0123456789'))

    const reply = await api('GET', `/2.0/files/${id}/content`)
    const path = (reply.headers.get('location') ?? '').slice(emulator.url.length)

    expect(reply.status).toBe(302)
    expect((await raw(path)).bytes.toString()).toBe('0123456789')
    const part = await raw(path, { headers: { Range: 'bytes=7-' } })
    expect([part.status, part.bytes.toString(), part.headers.get('content-range')]).toEqual([
      206,
      '789',
      'bytes 7-9/10',
    ])
    expect((await raw(path, { headers: { Range: 'bytes=10-' } })).status).toBe(416)
    emulator.clock.advance(16 * 60_000)
    expect((await raw(path)).status).toBe(404)
  })
})

describe('events', () => {
  const page = z.object({
    chunk_size: z.number(),
    next_stream_position: z.union([z.number(), z.string()]),
    entries: z.array(z.object({ event_type: z.string(), event_id: z.string() })),
  })

  test('are told from a position on, and a position may be a text', async () => {
    const { api, put, emulator } = await aBox()
    const now = page.parse((await api('GET', '/2.0/events?stream_type=changes&stream_position=now')).body)
    const { id } = fileOf(await put('a', 'x'))
    await api('PUT', `/2.0/files/${id}`, { name: 'b' })
    emulator.provider.set({ streamPosition: 'string' })

    const after = page.parse((await api('GET', `/2.0/events?stream_position=${now.next_stream_position}`)).body)

    expect(now.chunk_size).toBe(0)
    expect(after.entries.map(({ event_type }) => event_type)).toEqual(['ITEM_UPLOAD', 'ITEM_RENAME'])
    expect(after.next_stream_position).toBe('2')
    expect((await api('OPTIONS', '/2.0/events')).body).toMatchObject({ chunk_size: 1 })
  })

  test('may come twice and out of order', async () => {
    const { api, put, emulator } = await aBox()
    await put('a', 'x')
    await put('b', 'x')
    for (const name of ['duplicate-events', 'reordered-events']) emulator.fault({ fault: { do: 'behave', name } })

    const { entries } = page.parse((await api('GET', '/2.0/events?stream_position=0')).body)

    expect(entries.map(({ event_id }) => event_id)).toEqual(['event-1', 'event-0', 'event-1', 'event-0'])
  })
})

describe('switches of what is not known', () => {
  test('sizes as floats', async () => {
    const { raw, put, accessToken } = await aBox({ rules: { floatSizes: true } })
    await put('a', Buffer.alloc(1234))

    const { bytes } = await raw('/2.0/folders/0/items?fields=size', {
      headers: { Authorization: `Bearer ${accessToken}` },
    })

    expect(bytes.toString()).toContain('"size":1.234e+3')
  })

  test.each([
    ['absent', undefined],
    ['empty', ''],
  ] as const)('a listing that ends with a marker that is %s', async (lastMarker, marker) => {
    const { api } = await aBox({ rules: { lastMarker } })

    const { body } = await api('GET', '/2.0/folders/0/items?usemarker=true')

    expect((body as { next_marker?: string }).next_marker).toBe(marker)
  })
})
