/** OneDrive's routes as its documents and those who use it tell them, each answer held against the vendor's CSDL; where kinds of drives differ, each. */
import { describe, expect, test } from 'vitest'
import { hashOf } from './core/hashes.ts'
import { aOneDrive, type OneDriveRig, type Reply } from './onedrive-rig.ts'

const kinds = ['personal', 'business', 'documentLibrary'] as const
const root = '/me/drive/root'

function field(reply: Pick<Reply, 'body'>, ...names: readonly string[]): unknown {
  return names.reduce<unknown>(
    (value, name) => (value as Readonly<Record<string, unknown>> | undefined)?.[name],
    reply.body,
  )
}

function names(reply: Reply): readonly string[] {
  return (field(reply, 'value') as readonly { readonly name: string }[]).map(({ name }) => name)
}

const codes = (reply: Reply): unknown[] => [reply.status, field(reply, 'error', 'code')]

async function put(rig: OneDriveRig, path: string, content: string | Buffer): Promise<Reply> {
  return rig.graph('PUT', `${root}:${encodeURI(path)}:/content`, content)
}

describe.each(kinds)('a %s drive', (driveType) => {
  test('tells what it is, and its quota', async () => {
    const rig = await aOneDrive({ driveType })
    await put(rig, '/a', '12345')

    const drive = await rig.graph('GET', '/me/drive')

    expect(drive.body).toMatchObject({ driveType, quota: { used: 5, state: 'normal' } })
    expect(
      (await rig.graph('GET', `/drives/${encodeURIComponent(String(field(drive, 'id')))}/root`)).body,
    ).toMatchObject({
      root: {},
      parentReference: { driveId: field(drive, 'id'), driveType },
    })
    expect((await rig.graph('GET', '/drives/another')).status).toBe(404)
  })

  test('takes a file in one call, 201 for a new one and 200 in its place, and tells its hash', async () => {
    const rig = await aOneDrive({ driveType })

    const first = await put(rig, '/a.txt', 'one')
    const second = await put(rig, '/a.txt', 'other')

    expect([first.status, second.status]).toEqual([201, 200])
    expect(second.body).toMatchObject({
      id: field(first, 'id'),
      size: 5,
      file: { hashes: { quickXorHash: hashOf('quickxor', 'other') } },
    })
    expect(field(second, 'eTag')).not.toBe(field(first, 'eTag'))
    expect(field(second, 'file', 'hashes', 'sha1Hash')).toBeUndefined()
  })

  test('keeps case and does not tell it apart', async () => {
    const rig = await aOneDrive({ driveType })
    await put(rig, '/Readme', 'one')

    await put(rig, '/README', 'two')

    expect(names(await rig.graph('GET', `${root}/children`))).toEqual(['Readme'])
    expect((await rig.graph('GET', `${root}:/rEADME:`)).body).toMatchObject({ name: 'Readme', size: 3 })
  })

  test('takes a session in fragments and gives it times', async () => {
    const rig = await aOneDrive({ driveType })
    const url = await rig.session('/big', { fileSystemInfo: { lastModifiedDateTime: '2001-02-03T04:05:06Z' } })
    const bytes = Buffer.alloc(700_000, 'x')

    const first = await rig.fragment(url, bytes.subarray(0, 327_680), 0, bytes.length)
    const status = await rig.raw(url)
    const last = await rig.fragment(url, bytes.subarray(327_680), 327_680, bytes.length)

    expect(first.status).toBe(202)
    expect(field(status, 'nextExpectedRanges')).toEqual([expect.stringMatching(/^327680-/)])
    expect(last.status).toBe(201)
    expect(last.body).toMatchObject({ size: 700_000 })
    expect(String(field(last, 'fileSystemInfo', 'lastModifiedDateTime'))).toMatch(/^2001-02-03T04:05:06/)
    expect((await rig.raw(url)).status).toBe(404)
  })

  test.each([
    ['an overlap', 0, 327_680, 416],
    ['a gap', 655_360, 1000, 416],
  ])('refuses %s, and stands where it was', async (_title, start, length, status) => {
    const rig = await aOneDrive({ driveType })
    const url = await rig.session('/big')
    await rig.fragment(url, Buffer.alloc(327_680), 0, 1_000_000)

    const refused = await rig.fragment(url, Buffer.alloc(length), start, 1_000_000)

    expect(refused.status).toBe(status)
    expect(field(await rig.raw(url), 'nextExpectedRanges')).toEqual([expect.stringMatching(/^327680-/)])
  })

  test('stores nothing of a fragment that was cut', async () => {
    const rig = await aOneDrive({ driveType })
    const url = await rig.session('/big')
    rig.emulator.fault({ route: 'fragment', fault: { do: 'cut-request', bytes: 1000 } })

    await rig.fragment(url, Buffer.alloc(327_680), 0, 1_000_000).catch(() => undefined)

    expect(field(await rig.raw(url), 'nextExpectedRanges')).toEqual([expect.stringMatching(/^0-/)])
  })

  test('refuses a bearer on an upload URL where it is strict', async () => {
    const rig = await aOneDrive({ driveType, rules: { refusesBearer: true } })
    const url = await rig.session('/big')

    const reply = await rig.raw(url, { headers: { Authorization: `Bearer ${rig.accessToken}` } })

    expect(reply.status).toBe(401)
  })

  test('forgets a cancelled session', async () => {
    const rig = await aOneDrive({ driveType })
    const url = await rig.session('/big')

    expect((await rig.raw(url, { method: 'DELETE' })).status).toBe(204)
    expect((await rig.raw(url)).status).toBe(404)
    await rig.session('/big')
  })

  test('ends the right of an upload URL, whatever happens', async () => {
    const rig = await aOneDrive({ driveType, rules: { sessionMs: 100 * 3_600_000 } })
    const url = await rig.session('/big')
    rig.emulator.clock.advance(12 * 3_600_000 + 1)

    expect((await rig.fragment(url, Buffer.alloc(10), 0, 10)).status).toBe(401)
  })

  test('answers 507 when it is full', async () => {
    const rig = await aOneDrive({ driveType, rules: { quotaBytes: 100 } })

    expect(codes(await put(rig, '/a', 'x'.repeat(101)))).toEqual([507, 'quotaLimitReached'])
    await expect(rig.session('/a', { fileSize: 101 })).rejects.toThrow('quotaLimitReached')
  })

  test('makes a folder once', async () => {
    const rig = await aOneDrive({ driveType })
    const wish = { name: 'a', folder: {}, '@microsoft.graph.conflictBehavior': 'fail' }

    const first = await rig.graph('POST', `${root}/children`, wish)
    const second = await rig.graph('POST', `${root}/children`, { ...wish, name: 'A' })

    expect(first.status).toBe(201)
    expect(codes(second)).toEqual([409, 'nameAlreadyExists'])
  })

  test('takes no file below a folder that is missing', async () => {
    const rig = await aOneDrive({ driveType })

    expect((await put(rig, '/no/a', 'x')).status).toBe(404)
  })

  test('moves and renames by PATCH, and refuses a name that is taken', async () => {
    const rig = await aOneDrive({ driveType })
    const file = field(await put(rig, '/a', 'x'), 'id')
    const folder = field(await rig.graph('POST', `${root}/children`, { name: 'd', folder: {} }), 'id')
    await put(rig, '/taken', 'y')

    const moved = await rig.graph('PATCH', `/me/drive/items/${String(file)}`, {
      name: 'b',
      parentReference: { id: folder },
    })
    const refused = await rig.graph('PATCH', `/me/drive/items/${String(file)}`, {
      name: 'taken',
      parentReference: { id: field(await rig.graph('GET', root), 'id') },
    })

    expect(moved.body).toMatchObject({ id: file, name: 'b', parentReference: { id: folder } })
    expect(codes(refused)).toEqual([409, 'nameAlreadyExists'])
  })

  test('deletes only what it was asked about', async () => {
    const rig = await aOneDrive({ driveType })
    const file = await put(rig, '/a', 'x')
    const path = `/me/drive/items/${String(field(file, 'id'))}`

    expect((await rig.graph('DELETE', path, undefined, { 'If-Match': '"other"' })).status).toBe(412)
    expect((await rig.graph('DELETE', path, undefined, { 'If-Match': String(field(file, 'eTag')) })).status).toBe(204)
    expect((await rig.graph('DELETE', path)).status).toBe(404)
  })

  test('lists page by page', async () => {
    const rig = await aOneDrive({ driveType })
    for (const name of ['a', 'b', 'c', 'd', 'e']) await put(rig, `/${name}`, name)

    const seen: string[] = []
    for (let link: unknown = `${root}/children?$top=2&$select=name`; typeof link === 'string';) {
      const page = await rig.graph('GET', link)
      seen.push(...names(page))
      expect(Object.keys((field(page, 'value') as object[])[0] ?? {})).toEqual(['name'])
      link = field(page, '@odata.nextLink')
    }

    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  test('tells all there is, then what changed', async () => {
    const rig = await aOneDrive({ driveType })
    await put(rig, '/a', 'x')
    const all = await rig.graph('GET', `${root}/delta`)
    const link = String(field(all, '@odata.deltaLink'))
    await put(rig, '/b', 'y')
    await rig.graph('DELETE', `${root}:/a:`)

    const since = await rig.graph('GET', link)

    expect(names(all)).toEqual(['root', 'a'])
    expect(field(since, 'value')).toMatchObject([{ name: 'b' }, { deleted: {} }])
    const isBusiness = driveType !== 'personal'
    const [, a] = field(all, 'value') as readonly Readonly<Record<string, unknown>>[]
    expect(a !== undefined && 'cTag' in a).toBe(!isBusiness)
    expect((a?.['parentReference'] as object | undefined) ?? {}).not.toHaveProperty('path')
  })

  test('gives bytes at another address, without login and by ranges', async () => {
    const rig = await aOneDrive({ driveType, rules: { refusesBearer: true } })
    await put(rig, '/a', '0123456789')

    const asked = await rig.graph('GET', `${root}:/a:/content`)
    const url = asked.headers.get('location') ?? ''

    expect(asked.status).toBe(302)
    expect((await rig.raw(url)).bytes.toString()).toBe('0123456789')
    const part = await rig.raw(url, { headers: { Range: 'bytes=7-' } })
    expect([part.status, part.headers.get('content-range'), part.bytes.toString()]).toEqual([
      206,
      'bytes 7-9/10',
      '789',
    ])
    expect((await rig.raw(url, { headers: { Range: 'bytes=10-' } })).status).toBe(416)
    rig.emulator.clock.advance(3_600_001)
    expect((await rig.raw(url)).status).toBe(401)
  })

  test('copies, and its monitor needs no login', async () => {
    const rig = await aOneDrive({ driveType })
    await put(rig, '/a', 'x')

    const copied = await rig.graph('POST', `${root}:/a:/copy`, { name: 'b' }, { Prefer: 'respond-async' })

    expect(copied.status).toBe(202)
    expect((await rig.raw(copied.headers.get('location') ?? '')).body).toMatchObject({ status: 'completed' })
    expect(rig.emulator.provider.owner.read('/b')?.toString()).toBe('x')
  })

  test('makes the app’s folder when it is asked for', async () => {
    const rig = await aOneDrive({ driveType })

    const folder = await rig.graph('GET', '/me/drive/special/approot')
    await rig.graph('PUT', '/me/drive/special/approot:/x:/content', 'x')

    expect(folder.body).toMatchObject({ name: 'Fanfold', folder: {} })
    expect(rig.emulator.provider.owner.read('/Apps/Fanfold/x')?.toString()).toBe('x')
  })

  test('lets a login of the app’s folder into nothing else', async () => {
    const rig = await aOneDrive({ driveType })
    const { accessToken } = rig.emulator.auth.login(['Files.ReadWrite.AppFolder'])
    const headers = { Authorization: `Bearer ${accessToken}` }

    expect((await rig.raw('/v1.0/me/drive/special/approot', { headers })).status).toBe(200)
    expect((await rig.raw('/v1.0/me/drive/root/children', { headers })).status).toBe(403)
  })
})

describe('names', () => {
  const refused = [
    'con',
    'LPT1.txt',
    '.lock',
    'desktop.ini',
    '~$x',
    'a_vti_b',
    'end ',
    'end.',
    'a:b',
    'a*',
    'x'.repeat(256),
  ]
  test.each(refused)('%j is refused', async (name) => {
    const rig = await aOneDrive()

    const reply = await rig.graph('POST', `${root}/children`, { name, folder: {} })

    expect(codes(reply)).toEqual([400, 'invalidRequest'])
  })

  test('forms is refused at a library’s root only', async () => {
    const rig = await aOneDrive({ driveType: 'documentLibrary' })

    expect((await rig.graph('POST', `${root}/children`, { name: 'Forms', folder: {} })).status).toBe(400)
    await rig.graph('POST', `${root}/children`, { name: 'd', folder: {} })
    expect((await rig.graph('POST', `${root}:/d:/children`, { name: 'Forms', folder: {} })).status).toBe(201)
  })

  test('paths are too long with the library’s own part', async () => {
    const rig = await aOneDrive({ driveType: 'business' })
    await rig.graph('POST', `${root}/children`, { name: 'd'.repeat(200), folder: {} })

    const reply = await put(rig, `/${'d'.repeat(200)}/${'f'.repeat(170)}`, 'x')

    expect(field(reply, 'error', 'innerError', 'code')).toBe('pathIsTooLong')
  })

  test('a folder called photo breaks addresses that leave out the last colon', async () => {
    const rig = await aOneDrive()
    await rig.graph('POST', `${root}/children`, { name: 'photo', folder: {} })

    expect((await rig.graph('GET', `${root}:/photo`)).status).toBe(400)
    expect((await rig.graph('GET', `${root}:/photo:`)).status).toBe(200)
  })
})

describe('kinds of drives differ', () => {
  test('a business session keeps its name until it is cancelled or ends', async () => {
    const rig = await aOneDrive({ driveType: 'business' })
    const url = await rig.session('/a')

    await expect(rig.session('/A')).rejects.toThrow('being uploaded')
    await rig.raw(url, { method: 'DELETE' })
    await rig.session('/a')
    rig.emulator.clock.advance(16 * 60_000)
    await rig.session('/a')
  })

  test('a personal drive gives a fresh session each time', async () => {
    const rig = await aOneDrive()

    expect(await rig.session('/a')).not.toBe(await rig.session('/a'))
  })

  test.each([
    ['personal', 1],
    ['business', 2],
  ] as const)('on a %s drive a change of time makes %i versions', async (driveType, count) => {
    const rig = await aOneDrive({ driveType })
    await put(rig, '/a', 'x')

    await rig.graph('PATCH', `${root}:/a:`, { fileSystemInfo: { lastModifiedDateTime: '2001-01-01T00:00:00Z' } })

    expect((field(await rig.graph('GET', `${root}:/a:/versions`), 'value') as unknown[]).length).toBe(count)
  })

  test.each([
    ['personal', 400],
    ['business', 204],
  ] as const)('a %s drive answers a deletion past the bin with %i', async (driveType, status) => {
    const rig = await aOneDrive({ driveType })
    await put(rig, '/a', 'x')

    expect((await rig.graph('POST', `${root}:/a:/permanentDelete`)).status).toBe(status)
  })

  test('a business drive rewrites documents, each time otherwise', async () => {
    const rig = await aOneDrive({ driveType: 'business' })
    const document = Buffer.from('PK\x03\x04 a document')

    const first = await put(rig, '/a.docx', document)
    const second = await put(rig, '/a.docx', document)

    expect(field(first, 'size')).not.toBe(document.length)
    expect(field(first, 'file')).not.toEqual(field(second, 'file'))
    expect(field(await put(rig, '/b.docx', 'no zip'), 'size')).toBe(6)
  })

  test('a personal drive is known by its id in any case and without a leading zero', async () => {
    const rig = await aOneDrive()

    expect((await rig.graph('GET', '/drives/a1b2c3d4e5f6071/root')).status).toBe(200)
  })
})

describe('logins', () => {
  const form = (rig: OneDriveRig, over: Readonly<Record<string, string>>): Promise<Reply> =>
    rig.raw('/common/oauth2/v2.0/token', {
      method: 'POST',
      body: new URLSearchParams({ client_id: rig.emulator.auth.client.clientId, ...over }),
    })

  test('each refreshing brings a new refresh token, and the old one stays good', async () => {
    const rig = await aOneDrive()
    const ask = { grant_type: 'refresh_token', refresh_token: rig.refreshToken }

    const first = await form(rig, ask)
    const second = await form(rig, ask)

    expect(first.body).toMatchObject({ token_type: 'Bearer', scope: 'https://graph.microsoft.com/Files.ReadWrite' })
    expect(field(first, 'refresh_token')).not.toBe(rig.refreshToken)
    expect(second.status).toBe(200)
  })

  test('one that was taken back is told with its number', async () => {
    const rig = await aOneDrive()
    rig.emulator.auth.revokeAll()

    const reply = await form(rig, { grant_type: 'refresh_token', refresh_token: rig.refreshToken })

    expect([reply.status, reply.body]).toMatchObject([400, { error: 'invalid_grant', error_codes: [700082] }])
  })

  test('an app by itself gets an access token only', async () => {
    const rig = await aOneDrive({ driveType: 'business' })
    const { clientSecret } = rig.emulator.auth.client

    const reply = await form(rig, { grant_type: 'client_credentials', client_secret: clientSecret })

    expect(field(reply, 'refresh_token')).toBeUndefined()
    expect(field(reply, 'access_token')).toEqual(expect.any(String))
  })

  test('an access token that ended says so', async () => {
    const rig = await aOneDrive()
    rig.emulator.auth.expireAccess()

    const reply = await rig.graph('GET', '/me/drive')

    expect(codes(reply)).toEqual([401, 'InvalidAuthenticationToken'])
    expect(reply.headers.get('www-authenticate')).toContain('expired_token')
  })
})

describe('trouble', () => {
  test.each([
    ['throttle', 429],
    ['unavailable', 503],
    ['bandwidth', 509],
    ['server-error', 500],
    ['gateway-timeout', 504],
    ['locked', 423],
    ['full', 507],
    ['precondition', 412],
    ['resource-modified', 409],
    ['too-large', 413],
    ['rps', 401],
    ['malware', 403],
    ['resync', 410],
  ])('%s is a %i', async (name, status) => {
    const rig = await aOneDrive()
    rig.emulator.fault({ route: 'item', fault: { do: 'refuse', name, retryAfterS: 7 } })

    const reply = await rig.graph('GET', root)

    expect(reply.status).toBe(status)
    if (status === 429) expect(reply.headers.get('retry-after')).toBe('7')
  })

  test('a delta whose token is dead says where to begin', async () => {
    const rig = await aOneDrive()
    rig.emulator.fault({ route: 'delta', fault: { do: 'behave', name: 'resync' } })

    const reply = await rig.graph('GET', `${root}/delta`)

    expect([reply.status, reply.headers.get('location')]).toEqual([
      410,
      'https://graph.microsoft.com/v1.0/me/drive/root/delta',
    ])
  })

  test('a last fragment that is refused leaves the session, which a PUT of the item ends', async () => {
    const rig = await aOneDrive()
    const url = await rig.session('/a')
    rig.emulator.fault({ route: 'fragment', fault: { do: 'behave', name: 'full' } })

    expect((await rig.fragment(url, Buffer.from('x'), 0, 1)).status).toBe(507)
    expect(field(await rig.raw(url), 'nextExpectedRanges')).toEqual([])
    const body = { name: 'a', '@microsoft.graph.conflictBehavior': 'replace', '@microsoft.graph.sourceUrl': url }
    expect((await rig.graph('PUT', `${root}:/a:`, body)).status).toBe(201)
    expect(rig.emulator.provider.owner.read('/a')?.toString()).toBe('x')
  })

  test.each(['short-page', 'repeat-entry', 'children-first'])('a delta with %s ends all the same', async (name) => {
    const rig = await aOneDrive()
    for (const path of ['/a', '/b', '/c']) await put(rig, path, 'x')
    rig.emulator.fault({ route: 'delta', count: 'all', fault: { do: 'behave', name } })

    const seen = new Set<string>()
    for (let link: unknown = `${root}/delta`; typeof link === 'string';) {
      const page = await rig.graph('GET', link)
      for (const each of names(page)) seen.add(each)
      link = field(page, '@odata.nextLink')
    }

    expect([...seen].sort()).toEqual(['a', 'b', 'c', 'root'])
  })
})
