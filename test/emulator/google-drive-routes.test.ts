/** Google Drive's routes as the provider's documents and other people's reports tell them, each answer held against the discovery document. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { ownScope } from './google-drive/login.ts'
import { aGoogleDrive, type DriveRig, type Reply } from './google-drive-rig.ts'
import { Discovery } from './spec/discovery.ts'

const files = '/drive/v3/files'
const folderType = 'application/vnd.google-apps.folder'
const mebibyte = 2 ** 20

function text(reply: Reply, key: string): string {
  return String((reply.body as Readonly<Record<string, unknown>>)[key])
}

function reasonOf(reply: Reply): string {
  const { error } = reply.body as { readonly error: { readonly errors: readonly { readonly reason: string }[] } }
  return error.errors[0]?.reason ?? ''
}

const list = async ({ call }: DriveRig, q: string, rest = ''): Promise<readonly string[]> => {
  const reply = await call('GET', `${files}?q=${encodeURIComponent(q)}&fields=files(name)${rest}`)
  expect(reply.status, reply.bytes.toString()).toBe(200)
  return (reply.body as { files: { name: string }[] }).files.map(({ name }) => name).sort()
}

async function made(rig: DriveRig, body: object): Promise<string> {
  const reply = await rig.call('POST', files, body)
  expect(reply.status, reply.bytes.toString()).toBe(200)
  return text(reply, 'id')
}

const folder = (rig: DriveRig, name: string, parent = 'root'): Promise<string> =>
  made(rig, { name, mimeType: folderType, parents: [parent] })

function multipart(json: object, content: string | Buffer, quote = ''): readonly [Buffer, Record<string, string>] {
  const body = Buffer.concat([
    Buffer.from(
      `--b\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(json)}\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n`,
    ),
    Buffer.from(content),
    Buffer.from('\r\n--b--\r\n'),
  ])
  return [body, { 'Content-Type': `multipart/related; boundary=${quote}b${quote}` }]
}

async function opened(rig: DriveRig, body: object, bytes: number, rest = ''): Promise<string> {
  const path = `/upload${files}?uploadType=resumable${rest}`
  const reply = await rig.call('POST', path, body, { 'X-Upload-Content-Length': String(bytes) })
  expect(reply.status).toBe(200)
  expect(reply.bytes.length).toBe(0)
  return reply.headers.get('location') ?? ''
}

function piece(rig: DriveRig, session: string, bytes: Buffer, from: number, total: number | '*'): Promise<Reply> {
  const range = bytes.length === 0 ? '*' : `${from}-${from + bytes.length - 1}`
  return rig.call('PUT', session, bytes, { 'Content-Range': `bytes ${range}/${total}` })
}

describe('answers', () => {
  test('hold only what was asked for, and little when nothing was', async () => {
    const rig = await aGoogleDrive()
    const id = await folder(rig, 'a')

    expect((await rig.call('GET', `${files}/${id}`)).body).toEqual({
      kind: 'drive#file',
      id,
      name: 'a',
      mimeType: folderType,
    })
    expect((await rig.call('GET', `${files}/${id}?fields=name,parents`)).body).toEqual({
      name: 'a',
      parents: [rig.emulator.provider.account.items.root.id],
    })
    expect((await rig.call('GET', `${files}/${id}?fields=`)).body).toHaveProperty('kind')
    expect((await rig.call('GET', `${files}?fields=files(id),nextPageToken`)).body).toEqual({ files: [{ id }] })
    expect((await rig.call('GET', `${files}?fields=files(id`)).status).toBe(400)
    expect((await rig.call('GET', '/drive/v3/about')).status).toBe(400)
    expect((await rig.call('GET', '/drive/v3/about?fields=user/emailAddress')).body).toEqual({
      user: { emailAddress: 'owner@example.com' },
    })
  })

  test('numbers of 64 bits are texts, times are cut to the millisecond', async () => {
    const rig = await aGoogleDrive()
    const [body, headers] = multipart({ name: 'a', modifiedTime: '2001-02-03T04:05:06.789999Z' }, 'content', '"')
    const path = `/upload${files}?uploadType=multipart&fields=size,md5Checksum,sha256Checksum,modifiedTime`

    const reply = await rig.call('POST', path, body, headers)

    expect(reply.body).toEqual({
      size: '7',
      md5Checksum: createHash('md5').update('content').digest('hex'),
      sha256Checksum: createHash('sha256').update('content').digest('hex'),
      modifiedTime: '2001-02-03T04:05:06.789Z',
    })
    expect((await rig.call('GET', '/drive/v3/about?fields=storageQuota')).body).toMatchObject({
      storageQuota: { usage: '7', limit: String(15 * 1024 ** 3) },
    })
  })

  test('the description finds what is not in it', () => {
    const discovery = new Discovery()

    expect(() => discovery.check('File', { size: 7 })).toThrow(/File\.size: expected a text/)
    expect(() => discovery.check('File', { nam: 'x' })).toThrow(/unknown property 'nam'/)
    expect(() => discovery.check('FileList', { files: [{ modifiedTime: 'now' }] })).toThrow(/files\[0\]\.modifiedTime/)
    expect(() => discovery.checkResponse('files.nothing', {})).toThrow(/no method/)
  })
})

describe('logins', () => {
  test('a token that is none, or ended, is told with a challenge', async () => {
    const rig = await aGoogleDrive()
    rig.emulator.auth.expireAccess()

    const reply = await rig.call('GET', files)

    expect([reply.status, reply.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
  })

  test('are refreshed with the secret in the body; the refresh token stays', async () => {
    const { raw, refreshToken, emulator } = await aGoogleDrive()
    const { clientId, clientSecret } = emulator.auth.client
    const ask = (over: Record<string, string>): Promise<Reply> => {
      const form = { grant_type: 'refresh_token', client_id: clientId, client_secret: clientSecret }
      const body = new URLSearchParams({ ...form, refresh_token: refreshToken, ...over })
      return raw('/token', { method: 'POST', body })
    }

    const good = await ask({})
    const other = await ask({ client_secret: 'x' })
    await raw('/revoke', { method: 'POST', body: new URLSearchParams({ token: refreshToken }) })
    const revoked = await ask({})

    expect(good.body).toMatchObject({ expires_in: 3599, token_type: 'Bearer' })
    expect(good.body).not.toHaveProperty('refresh_token')
    expect([other.status, text(other, 'error')]).toEqual([401, 'invalid_client'])
    expect([revoked.status, text(revoked, 'error')]).toEqual([400, 'invalid_grant'])
  })

  test('of the scope drive.file see what their client made, and no root', async () => {
    const rig = await aGoogleDrive({}, [ownScope])
    rig.emulator.provider.owner.write('/theirs', 'x')
    await folder(rig, 'ours')

    expect(await list(rig, "'root' in parents")).toEqual(['ours'])
    expect((await rig.call('GET', `${files}/root`)).status).toBe(404)
    const theirs = rig.emulator.provider.owner.itemsAt('/theirs')[0]?.id ?? ''
    expect((await rig.call('GET', `${files}/${theirs}`)).status).toBe(404)
  })
})

describe('searches', () => {
  const cases: [q: string, found: string[]][] = [
    ["'P' in parents", ['A', 'a', 'd', "it's\\"]],
    ["'P' in parents and trashed=false", ['A', 'a', 'd', "it's\\"]],
    ["name = 'a'", ['A', 'a']],
    ["name contains 'IT'", ["it's\\"]],
    [String.raw`name = 'it\'s\\'`, ["it's\\"]],
    [`mimeType='${folderType}' and ('P' in parents)`, ['d']],
    [`mimeType!='${folderType}' and name='a' or name='d'`, ['A', 'a', 'd']],
    ["not name = 'a' and 'P' in parents", ['d', "it's\\"]],
    ["('P' in parents or 'Q' in parents) and trashed=false", ['A', 'a', 'd', 'inner', "it's\\"]],
    ["appProperties has { key='k' and value='v' }", ['a']],
    ["modifiedTime > '2001-01-01T00:00:00' and modifiedTime <= '2002-01-01T00:00:00Z'", ['A']],
    ['trashed=true', ['gone']],
  ]
  test.each(cases)('%s', async (q, found) => {
    const rig = await aGoogleDrive()
    const parent = await folder(rig, 'parent')
    await made(rig, { name: 'a', parents: [parent], appProperties: { k: 'v' } })
    await made(rig, { name: 'A', parents: [parent], modifiedTime: '2001-06-01T00:00:00Z' })
    await made(rig, { name: "it's\\", parents: [parent] })
    const inner = await folder(rig, 'd', parent)
    await made(rig, { name: 'inner', parents: [inner] })
    const gone = await made(rig, { name: 'gone' })
    await rig.call('PATCH', `${files}/${gone}`, { trashed: true })

    expect(await list(rig, q.replace("'P'", `'${parent}'`).replace("'Q'", `'${inner}'`))).toEqual(found)
  })

  test.each(["name = 'a", 'name like 7', "'x' in owners", 'size > 7', "name = 'a' and"])('%s is refused', async (q) => {
    const { call } = await aGoogleDrive()

    expect((await call('GET', `${files}?q=${encodeURIComponent(q)}`)).status).toBe(400)
  })

  test('go page by page, each page again and again', async () => {
    const rig = await aGoogleDrive()
    for (const name of ['a', 'b', 'c']) await made(rig, { name })
    const page = async (token: string): Promise<Reply> =>
      rig.call('GET', `${files}?pageSize=2&orderBy=name&fields=*${token === '' ? '' : `&pageToken=${token}`}`)

    const first = await page('')
    const token = text(first, 'nextPageToken')
    const [second, again] = [await page(token), await page(token)]

    expect((second.body as { files: object[] }).files.length).toBe(1)
    expect(again.body).toEqual(second.body)
    expect((await page('nonsense')).status).toBe(400)
  })

  test('by name are behind for a while, by parent and by id they are not', async () => {
    const rig = await aGoogleDrive({ rules: { nameLagMs: 60_000 } })
    const id = await made(rig, { name: 'fresh' })

    expect(await list(rig, "name = 'fresh'")).toEqual([])
    expect(await list(rig, "'root' in parents")).toEqual(['fresh'])
    expect((await rig.call('GET', `${files}/${id}`)).status).toBe(200)
    rig.emulator.clock.advance(60_001)
    expect(await list(rig, "name = 'fresh'")).toEqual(['fresh'])
  })
})

describe('items', () => {
  test('may have one name many times, and an id only once', async () => {
    const rig = await aGoogleDrive()
    const generated = await rig.call('GET', `${files}/generateIds?count=2`)
    const [id] = (generated.body as { ids: string[] }).ids
    await made(rig, { name: 'twin', id })

    const again = await rig.call('POST', files, { name: 'twin', id })
    await made(rig, { name: 'twin' })

    expect([again.status, reasonOf(again)]).toEqual([409, 'fileIdInUse'])
    expect((await rig.call('POST', files, { name: 'x', id: 'nobody-issued-this' })).status).toBe(400)
    expect(await list(rig, "name='twin'")).toEqual(['twin', 'twin'])
  })

  test('are moved by their parents, renamed, trashed with what is in them, restored, purged', async () => {
    const rig = await aGoogleDrive()
    const [one, two] = [await folder(rig, 'one'), await folder(rig, 'two')]
    const id = await made(rig, { name: 'x', parents: [one] })

    await rig.call('PATCH', `${files}/${id}?addParents=${two}&removeParents=${one}`, { name: 'y' })
    expect(await list(rig, `'${two}' in parents`)).toEqual(['y'])
    expect((await rig.call('PATCH', `${files}/${id}`, { parents: [one] })).status).toBe(403)
    await rig.call('PATCH', `${files}/${two}`, { trashed: true })
    const inTrash = await rig.call('GET', `${files}/${id}?fields=trashed,explicitlyTrashed`)
    await rig.call('PATCH', `${files}/${two}`, { trashed: false })
    const restored = await rig.call('GET', `${files}/${id}?fields=trashed`)
    const purged = await rig.call('DELETE', `${files}/${two}`)

    expect(inTrash.body).toEqual({ trashed: true, explicitlyTrashed: false })
    expect(restored.body).toEqual({ trashed: false })
    expect([purged.status, purged.bytes.length]).toEqual([204, 0])
    expect((await rig.call('GET', `${files}/${id}`)).status).toBe(404)
  })

  test.each([
    ['succeeds', 200],
    ['notFound', 404],
  ] as const)('below a trashed folder: a switch (%s)', async (belowTrashed, status) => {
    const rig = await aGoogleDrive({ rules: { belowTrashed } })
    const parent = await folder(rig, 'd')
    await rig.call('PATCH', `${files}/${parent}`, { trashed: true })

    expect((await rig.call('POST', files, { name: 'x', parents: [parent] })).status).toBe(status)
  })

  test('are too many, too deep, or below nothing', async () => {
    const rig = await aGoogleDrive({ rules: { childrenMax: 1, depthMax: 1 } })
    const parent = await folder(rig, 'a')

    expect(reasonOf(await rig.call('POST', files, { name: 'b' }))).toBe('numChildrenInNonRootLimitExceeded')
    expect(reasonOf(await rig.call('POST', files, { name: 'b', parents: [parent] }))).toBe(
      'myDriveHierarchyDepthLimitExceeded',
    )
    expect(reasonOf(await rig.call('POST', files, { name: 'b', parents: ['nowhere'] }))).toBe('notFound')
  })

  test('of a shared drive are there for who supports them', async () => {
    const rig = await aGoogleDrive()
    const drive = rig.emulator.provider.account.items.sharedRoot.id
    const all = 'supportsAllDrives=true'
    await rig.call('POST', `${files}?${all}`, { name: 'shared', parents: [drive] })

    expect(await list(rig, 'trashed=false')).toEqual([])
    expect(await list(rig, 'trashed=false', '&includeItemsFromAllDrives=true')).toEqual(['shared'])
    expect(await list(rig, 'trashed=false', `&corpora=drive&driveId=${drive}&${all}`)).toEqual(['shared'])
    expect((await rig.call('POST', files, { name: 'x', parents: [drive] })).status).toBe(404)
    expect((await rig.call('GET', `/drive/v3/drives/${drive}`)).status).toBe(200)
  })

  test('that changed are told once each, with their latest state', async () => {
    const rig = await aGoogleDrive()
    const start = text(await rig.call('GET', '/drive/v3/changes/startPageToken'), 'startPageToken')
    const [a, b] = [await made(rig, { name: 'a' }), await made(rig, { name: 'b' })]
    await rig.call('PATCH', `${files}/${a}`, { name: 'c' })
    await rig.call('DELETE', `${files}/${b}`)

    const reply = await rig.call('GET', `/drive/v3/changes?pageToken=${start}&fields=*`)

    const { changes, newStartPageToken } = reply.body as {
      changes: { fileId: string; removed: boolean; file?: { name: string } }[]
      newStartPageToken: string
    }
    expect(changes.map(({ fileId, removed, file }) => [fileId, removed, file?.name])).toEqual([
      [a, false, 'c'],
      [b, true, undefined],
    ])
    expect((await rig.call('GET', `/drive/v3/changes?pageToken=${newStartPageToken}&fields=changes`)).body).toEqual({
      changes: [],
    })
  })
})

describe('content', () => {
  const bytes = Buffer.alloc(mebibyte + 5, 'content ')

  test('comes by range, and of any revision', async () => {
    const rig = await aGoogleDrive()
    const [body, headers] = multipart({ name: 'a' }, '0123456789')
    const id = text(await rig.call('POST', `/upload${files}?uploadType=multipart`, body, headers), 'id')
    await rig.call('PATCH', `/upload${files}/${id}?uploadType=media`, 'new')
    const { revisions } = (await rig.call('GET', `${files}/${id}/revisions?fields=*`)).body as {
      revisions: { id: string }[]
    }

    const got = async (path: string, range?: string): Promise<[number, string]> => {
      const reply = await rig.call(
        'GET',
        `${files}/${id}${path}?alt=media`,
        undefined,
        range === undefined ? {} : { Range: range },
      )
      return [reply.status, reply.bytes.toString()]
    }

    expect(await got('')).toEqual([200, 'new'])
    expect(await got('', 'bytes=1-')).toEqual([206, 'ew'])
    expect((await got('', 'bytes=3-'))[0]).toBe(416)
    expect(await got(`/revisions/${revisions[0]?.id ?? ''}`)).toEqual([200, '0123456789'])
  })

  test('arrives in sessions, which tell how far they are and end with the file that was asked for', async () => {
    const rig = await aGoogleDrive()
    const session = await opened(rig, { name: 'big' }, bytes.length, '&fields=size,md5Checksum')
    const half = mebibyte / 2

    const first = await piece(rig, session, bytes.subarray(0, half), 0, bytes.length)
    const asked = await piece(rig, session, Buffer.alloc(0), 0, bytes.length)
    const last = await piece(rig, session, bytes.subarray(half), half, bytes.length)
    const again = await piece(rig, session, Buffer.alloc(0), 0, bytes.length)

    for (const reply of [first, asked]) {
      expect([reply.status, reply.headers.get('range'), reply.headers.get('location')]).toEqual([
        308,
        `bytes=0-${half - 1}`,
        null,
      ])
    }
    expect(last.body).toEqual({
      size: String(bytes.length),
      md5Checksum: createHash('md5').update(bytes).digest('hex'),
    })
    expect(again.body).toEqual(last.body)
  })

  test('a session of nothing has no range, and ends with an empty file', async () => {
    const rig = await aGoogleDrive()
    const waiting = await opened(rig, { name: 'big' }, 10)
    const empty = await opened(rig, { name: 'empty' }, 0)

    expect((await piece(rig, waiting, Buffer.alloc(0), 0, 10)).headers.get('range')).toBeNull()
    expect((await piece(rig, empty, Buffer.alloc(0), 0, 0)).status).toBe(200)
    expect(rig.emulator.provider.owner.read('/empty')?.length).toBe(0)
  })

  test('a piece that begins too far, or is odd, is refused; one that begins too early is taken from where it is new', async () => {
    const rig = await aGoogleDrive()
    const session = await opened(rig, { name: 'big' }, bytes.length)
    const granule = 256 * 1024

    const ahead = await piece(rig, session, bytes.subarray(granule, 2 * granule), granule, bytes.length)
    const odd = await piece(rig, session, bytes.subarray(0, 1000), 0, bytes.length)
    await piece(rig, session, bytes.subarray(0, 2 * granule), 0, bytes.length)
    const early = await piece(rig, session, bytes.subarray(granule), granule, bytes.length)

    expect([ahead.status, ahead.headers.get('content-type')]).toEqual([503, 'text/plain; charset=utf-8'])
    expect(odd.status).toBe(400)
    expect(early.status).toBe(200)
    expect(rig.emulator.provider.owner.read('/big')?.equals(bytes)).toBe(true)
  })

  test('a session ends after a week, or when it is cancelled', async () => {
    const rig = await aGoogleDrive()
    const [old, cancelled] = [await opened(rig, { name: 'a' }, 10), await opened(rig, { name: 'b' }, 10)]

    expect((await rig.call('DELETE', cancelled)).status).toBe(499)
    expect((await piece(rig, cancelled, Buffer.alloc(0), 0, 10)).status).toBe(404)
    rig.emulator.clock.advance(8 * 24 * 3_600_000)
    expect(
      (await rig.call('PUT', old, '', { Authorization: `Bearer ${rig.emulator.auth.login().accessToken}` })).status,
    ).toBe(404)
  })

  test.each(['open', 'commit'] as const)('an id in use is refused: a switch (%s)', async (idConflict) => {
    const rig = await aGoogleDrive({ rules: { idConflict } })
    const { ids } = (await rig.call('GET', `${files}/generateIds?count=1`)).body as { ids: string[] }
    await made(rig, { name: 'x', id: ids[0] })

    const reply = await rig.call(
      'POST',
      `/upload${files}?uploadType=resumable`,
      { name: 'x', id: ids[0] },
      { 'X-Upload-Content-Length': '1' },
    )
    const session = reply.headers.get('location') ?? ''
    const end = idConflict === 'open' ? reply : await piece(rig, session, Buffer.from('x'), 0, 1)

    expect([end.status, reasonOf(end)]).toEqual([409, 'fileIdInUse'])
  })

  test('does not fit', async () => {
    const rig = await aGoogleDrive({ rules: { quotaBytes: 10 } })
    const [body, headers] = multipart({ name: 'a' }, '0123456789!')

    expect(reasonOf(await rig.call('POST', `/upload${files}?uploadType=multipart`, body, headers))).toBe(
      'storageQuotaExceeded',
    )
    const open = await rig.call(
      'POST',
      `/upload${files}?uploadType=resumable`,
      { name: 'x' },
      { 'X-Upload-Content-Length': '11' },
    )
    expect(reasonOf(open)).toBe('storageQuotaExceeded')
  })
})

describe('trouble on purpose', () => {
  const bytes = Buffer.alloc(mebibyte, 'x')

  test.each([
    ['partial-accept', 262144, 308, 'bytes=0-262143'],
    ['store-nothing', undefined, 308, null],
    ['forget-session', 410, 410, null],
  ] as const)('%s', async (name, value, status, range) => {
    const rig = await aGoogleDrive()
    const session = await opened(rig, { name: 'big' }, bytes.length)
    rig.emulator.fault({
      route: 'upload.session',
      fault: { do: 'behave', name, ...(value === undefined ? {} : { value }) },
    })

    const reply = await piece(rig, session, bytes, 0, bytes.length)

    expect([reply.status, reply.headers.get('range')]).toEqual([status, range])
  })

  test('a piece that was cut stays in part when it is said, in whole granules', async () => {
    const rig = await aGoogleDrive()
    const session = await opened(rig, { name: 'big' }, bytes.length)
    rig.emulator.fault({ route: 'upload.session', fault: { do: 'cut-request', bytes: 300_000, keep: true } })

    await expect(piece(rig, session, bytes, 0, bytes.length)).rejects.toThrow()
    const asked = await piece(rig, session, Buffer.alloc(0), 0, bytes.length)

    expect(asked.headers.get('range')).toBe('bytes=0-262143')
  })

  test.each([
    ['throttle', 403, 'userRateLimitExceeded'],
    ['throttle-429', 429, 'rateLimitExceeded'],
    ['upload-cap', 403, 'userRateLimitExceeded'],
    ['full', 403, 'storageQuotaExceeded'],
    ['not-configured', 403, 'accessNotConfigured'],
    ['backend-error', 503, 'backendError'],
  ])('%s is told as Google tells it', async (name, status, reason) => {
    const rig = await aGoogleDrive()
    rig.emulator.fault({ fault: { do: 'refuse', name } })

    const reply = await rig.call('GET', files)

    expect([reply.status, reasonOf(reply)]).toEqual([status, reason])
  })
})
