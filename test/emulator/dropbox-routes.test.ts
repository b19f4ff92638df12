/** Dropbox's routes as the provider's documents tell them, each answer held against the Stone description. */
import { describe, expect, test } from 'vitest'
import { aDropbox, contentHash, type Rig } from './dropbox-rig.ts'

const file = { '.tag': 'file' }
const notFound = { error: { '.tag': 'path', path: { '.tag': 'not_found' } } }

function conflict(kind: string): object {
  return { error: { '.tag': 'path', path: { '.tag': 'conflict', conflict: { '.tag': kind } } } }
}

function pathsOf(reply: { readonly body: unknown }): readonly string[] {
  const { entries } = reply.body as { readonly entries: readonly { readonly path_display: string }[] }
  return entries.map((entry) => entry.path_display).sort()
}

function text(reply: { readonly body: unknown }, key: string): string {
  return String((reply.body as Readonly<Record<string, unknown>>)[key])
}

describe('arguments', () => {
  test('a header may be raw UTF-8 as well as escaped', async () => {
    const { raw, accessToken, emulator } = await aDropbox()
    const arg = Buffer.from('{"path":"/é\u{1f4f7}.txt"}').toString('latin1')

    const reply = await raw('/2/files/upload', {
      method: 'POST',
      headers: { Authorization: `Bearer ${accessToken}`, 'Dropbox-API-Arg': arg },
      body: 'x',
    })

    expect(reply.status).toBe(200)
    expect(emulator.provider.owner.read('/é\u{1f4f7}.txt')?.toString()).toBe('x')
  })

  test('the argument may come in the query', async () => {
    const { raw, accessToken, put } = await aDropbox()
    await put('/a', 'content')

    const arg = encodeURIComponent('{"path":"/a"}')
    const reply = await raw(`/2/files/download?arg=${arg}`, { headers: { Authorization: `Bearer ${accessToken}` } })

    expect(reply.bytes.toString()).toBe('content')
  })

  test.each([
    ['an unknown field', { path: '/a', pathh: 1 }],
    ['a missing field', {}],
    ['a path without slash', { path: 'a' }],
    ['the root', { path: '' }],
  ])('%s is a 400 in plain text', async (_what, arg) => {
    const { rpc } = await aDropbox()

    const reply = await rpc('files/get_metadata', arg)

    expect(reply.status).toBe(400)
    expect(reply.bytes.toString()).toMatch(/^Error in call to API function "files\/get_metadata": request body: /)
  })

  test('a time that is not whole seconds of UTC is a 400', async () => {
    const { put } = await aDropbox()

    const reply = await put('/a', 'x', { client_modified: '2026-01-01T00:00:00.5Z' })

    expect(reply.status).toBe(400)
  })

  test('an unknown route is a 400, as is one on the wrong host', async () => {
    const { rpc } = await aDropbox()

    expect((await rpc('files/unknown', {})).status).toBe(400)
  })

  test('another path root than the own one is a 422 with the right one', async () => {
    const { raw, accessToken } = await aDropbox()

    const reply = await raw('/2/files/list_folder', {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${accessToken}`,
        'Dropbox-API-Path-Root': '{".tag":"root","root":"1"}',
        'Content-Type': 'application/json',
      },
      body: '{"path":""}',
    })

    expect(reply.status).toBe(422)
    expect(reply.body).toMatchObject({ error: { '.tag': 'invalid_root', invalid_root: { '.tag': 'user' } } })
  })
})

describe('upload', () => {
  test('answers with the file, its hash and no tag, and makes missing folders', async () => {
    const { put, emulator } = await aDropbox()

    const reply = await put('/A/b/c.txt', 'content', { client_modified: '2001-02-03T04:05:06Z' })

    expect(reply.status).toBe(200)
    expect(reply.body).toMatchObject({
      name: 'c.txt',
      path_lower: '/a/b/c.txt',
      path_display: '/A/b/c.txt',
      size: 7,
      client_modified: '2001-02-03T04:05:06Z',
      content_hash: contentHash('content'),
    })
    expect(reply.body).not.toHaveProperty('.tag')
    expect(reply.headers.get('x-dropbox-request-id')).toMatch(/^[0-9a-f]{32}$/)
    expect(emulator.provider.owner.list().map(({ path }) => path)).toEqual(['/A', '/A/b', '/A/b/c.txt'])
  })

  test('identical content is no change in any mode and conflicts with nothing', async () => {
    const { put } = await aDropbox()
    const first = await put('/a', 'same')

    for (const mode of ['add', 'overwrite', { '.tag': 'update', update: '0123456789' }]) {
      const again = await put('/A', 'same', { mode })
      expect(again.body).toEqual(first.body)
    }
  })

  test('strict_conflict takes identical content for a conflict', async () => {
    const { put } = await aDropbox()
    await put('/a', 'same')

    const reply = await put('/a', 'same', { mode: 'add', strict_conflict: true })

    expect(reply.status).toBe(409)
  })

  test('mode add refuses other content, and names the session that holds it', async () => {
    const { put, content, emulator } = await aDropbox()
    await put('/a', 'one')

    const reply = await put('/a', 'two', { mode: 'add' })

    expect(reply.status).toBe(409)
    expect(reply.body).toMatchObject({
      error: { '.tag': 'path', reason: { '.tag': 'conflict', conflict: { '.tag': 'file' } } },
    })
    const { error } = reply.body as { readonly error: { readonly upload_session_id: string } }
    const cursor = { session_id: error.upload_session_id, offset: 3 }
    expect((await content('files/upload_session/finish', { cursor, commit: { path: '/b' } })).status).toBe(200)
    expect(emulator.provider.owner.read('/b')?.toString()).toBe('two')
  })

  test('autorename writes beside what is there', async () => {
    const { put } = await aDropbox()
    await put('/a.txt', 'one')

    const reply = await put('/a.txt', 'two', { mode: 'add', autorename: true })

    expect(reply.body).toMatchObject({ path_display: '/a (1).txt' })
  })

  test('mode update writes over the named revision only (F80)', async () => {
    const { put } = await aDropbox()
    const rev = text(await put('/a', 'one'), 'rev')

    const right = await put('/a', 'two', { mode: { '.tag': 'update', update: rev } })
    const wrong = await put('/a', 'three', { mode: { '.tag': 'update', update: rev } })

    expect([right.status, wrong.status]).toEqual([200, 409])
  })

  test('a folder or a file above in the way is a conflict', async () => {
    const { put, rpc } = await aDropbox()
    await rpc('files/create_folder_v2', { path: '/d' })
    await put('/f', 'x')

    const folder = await put('/d', 'x')
    const ancestor = await put('/f/a', 'x')

    expect(folder.body).toMatchObject({ error: { reason: { conflict: { '.tag': 'folder' } } } })
    expect(ancestor.body).toMatchObject({ error: { reason: { conflict: { '.tag': 'file_ancestor' } } } })
  })

  test.each([
    ['/a\\b', 'malformed_path'],
    ['/a/', 'malformed_path'],
    ['/..', 'malformed_path'],
    [`/${'x'.repeat(256)}`, 'malformed_path'],
    ['/.DS_Store', 'disallowed_name'],
    ['/Thumbs.db/x', 'disallowed_name'],
  ])('%s is refused as %s', async (path, tag) => {
    const { put } = await aDropbox()

    const reply = await put(path, 'x')

    expect(reply.body).toMatchObject({ error: { '.tag': 'path', reason: { '.tag': tag } } })
  })

  test('a wrong content hash stores nothing', async () => {
    const { put, emulator } = await aDropbox()

    const reply = await put('/a', 'content', { content_hash: contentHash('other') })

    expect(reply.body).toMatchObject({ error: { '.tag': 'content_hash_mismatch' } })
    expect(emulator.provider.owner.list()).toEqual([])
  })

  test('more than a request may hold is too large', async () => {
    const { put } = await aDropbox({ rules: { requestBytesMax: 10 } })

    const reply = await put('/a', 'eleven bytes')

    expect(reply.body).toMatchObject({ error: { '.tag': 'payload_too_large' } })
  })

  test('what does not fit is refused, what is written over makes room', async () => {
    const { put, rpc } = await aDropbox({ rules: { quotaBytes: 10 } })
    await put('/a', '12345678')

    const more = await put('/b', '123')
    const instead = await put('/a', '1234567890')

    expect(more.body).toMatchObject({ error: { reason: { '.tag': 'insufficient_space' } } })
    expect(instead.status).toBe(200)
    const usage = await rpc('users/get_space_usage')
    expect(usage.body).toEqual({ used: 10, allocation: { '.tag': 'individual', allocated: 10 } })
  })
})

async function aSession({ content }: Rig, arg: unknown = {}, bytes = ''): Promise<string> {
  return text(await content('files/upload_session/start', arg, bytes), 'session_id')
}

describe('sequential sessions', () => {
  test('take data in start, appends and finish', async () => {
    const rig = await aDropbox()
    const id = await aSession(rig, {}, 'one')
    const at = (offset: number): unknown => ({ session_id: id, offset })

    const append = await rig.content('files/upload_session/append_v2', { cursor: at(3) }, 'two')
    const commit = { path: '/a', mode: 'overwrite' }
    const finish = await rig.content('files/upload_session/finish', { cursor: at(6), commit }, 'three')

    expect([append.status, append.body]).toEqual([200, null])
    expect(finish.body).toMatchObject({ size: 11, content_hash: contentHash('onetwothree') })
  })

  test('a zero-byte append tells where the session stands (F61)', async () => {
    const rig = await aDropbox()
    const id = await aSession(rig, {}, '12345')
    const append = (offset: number): ReturnType<Rig['content']> =>
      rig.content('files/upload_session/append_v2', { cursor: { session_id: id, offset } })

    expect((await append(5)).status).toBe(200)
    expect((await append(3)).body).toMatchObject({ error: { '.tag': 'incorrect_offset', correct_offset: 5 } })
  })

  test('an append with a wrong hash leaves the session as it was', async () => {
    const rig = await aDropbox()
    const id = await aSession(rig, {}, 'good')
    const cursor = { session_id: id, offset: 4 }

    const bad = await rig.content('files/upload_session/append_v2', { cursor, content_hash: contentHash('x') }, 'bad')
    const again = await rig.content('files/upload_session/append_v2', { cursor, close: true }, ' better')
    const commit = { path: '/a' }
    const entries = [{ cursor: { session_id: id, offset: 11 }, commit }]
    const finish = await rig.rpc('files/upload_session/finish_batch_v2', { entries })

    expect(bad.body).toMatchObject({ error: { '.tag': 'content_hash_mismatch' } })
    expect(again.status).toBe(200)
    expect(finish.body).toMatchObject({
      entries: [{ '.tag': 'success', content_hash: contentHash('good better') }],
    })
  })

  test('a closed session takes no more', async () => {
    const rig = await aDropbox()
    const id = await aSession(rig, { close: true }, 'x')

    const reply = await rig.content('files/upload_session/append_v2', { cursor: { session_id: id, offset: 1 } }, 'y')

    expect(reply.body).toMatchObject({ error: { '.tag': 'closed' } })
  })

  test('a session lives seven days (F63)', async () => {
    const rig = await aDropbox()
    const id = await aSession(rig)
    const append = (): ReturnType<Rig['content']> =>
      rig.content('files/upload_session/append_v2', { cursor: { session_id: id, offset: 0 } })

    // The access token of the rig would end with it.
    rig.emulator.clock.advance(3 * 3600 * 1000)
    expect((await append()).status).toBe(200)
    rig.emulator.clock.advance(7 * 24 * 3600 * 1000)
    const { accessToken } = rig.emulator.auth.login()
    const late = await rig.content('files/upload_session/append_v2', { cursor: { session_id: id, offset: 0 } }, '', {
      Authorization: `Bearer ${accessToken}`,
    })
    expect(late.body).toMatchObject({ error: { '.tag': 'not_found' } })
  })

  test('a refused path keeps the data, also what came with the finish', async () => {
    const rig = await aDropbox()
    const id = await aSession(rig, {}, 'one')
    const finish = (offset: number, path: string, bytes = ''): ReturnType<Rig['content']> =>
      rig.content('files/upload_session/finish', { cursor: { session_id: id, offset }, commit: { path } }, bytes)

    const refused = await finish(3, '/bad\\name', 'two')
    const naive = await finish(3, '/good')
    const right = await finish(6, '/good')

    expect(refused.body).toMatchObject({ error: { '.tag': 'path', path: { '.tag': 'malformed_path' } } })
    expect(naive.body).toMatchObject({
      error: { '.tag': 'lookup_failed', lookup_failed: { '.tag': 'incorrect_offset', correct_offset: 6 } },
    })
    expect(right.body).toMatchObject({ content_hash: contentHash('onetwo') })
  })

  test.each(['not_found', 'closed', 'success'] as const)(
    'a second finish finds %s, by switch (F64)',
    async (answer) => {
      const rig = await aDropbox({ rules: { doubleFinish: answer } })
      const id = await aSession(rig, { close: true }, 'x')
      const finish = (): ReturnType<Rig['content']> =>
        rig.content('files/upload_session/finish', { cursor: { session_id: id, offset: 1 }, commit: { path: '/a' } })
      await finish()

      const second = await finish()

      const refused = { error: { '.tag': 'lookup_failed', lookup_failed: { '.tag': answer } } }
      expect(second.body).toMatchObject(answer === 'success' ? { path_lower: '/a' } : refused)
    },
  )
})

describe('batches', () => {
  test('an open session fails alone', async () => {
    const rig = await aDropbox()
    const closed = await aSession(rig, { close: true }, 'x')
    const open = await aSession(rig, {}, 'y')
    const entries = [open, closed].map((session_id) => ({
      cursor: { session_id, offset: 1 },
      commit: { path: `/${session_id.slice(-5)}` },
    }))

    const reply = await rig.rpc('files/upload_session/finish_batch_v2', { entries })

    expect(reply.body).toMatchObject({
      entries: [
        { '.tag': 'failure', failure: { '.tag': 'lookup_failed', lookup_failed: { '.tag': 'not_closed' } } },
        { '.tag': 'success' },
      ],
    })
  })

  test('more than a thousand entries are a 400', async () => {
    const { rpc } = await aDropbox()
    const entries = Array.from({ length: 1001 }, () => ({
      cursor: { session_id: 'x', offset: 0 },
      commit: { path: '/a' },
    }))

    expect((await rpc('files/upload_session/finish_batch_v2', { entries })).status).toBe(400)
  })

  test('a second batch under way meets the write lock', async () => {
    const rig = await aDropbox({ rules: { commitMs: 2_000 } })
    const ids = [await aSession(rig, { close: true }, 'x'), await aSession(rig, { close: true }, 'y')]

    const replies = await Promise.all(
      ids.map((session_id, index) =>
        rig.rpc('files/upload_session/finish_batch_v2', {
          entries: [{ cursor: { session_id, offset: 1 }, commit: { path: `/${index}` } }],
        }),
      ),
    )

    const tags = replies.map(({ body }) => JSON.stringify(body)).sort()
    expect(tags[0]).toContain('too_many_write_operations')
    expect(tags[1]).toContain('success')
  })

  test('start_batch and append_batch bring many small files in with three calls', async () => {
    const rig = await aDropbox()
    const started = await rig.rpc('files/upload_session/start_batch', { num_sessions: 2 })
    const { session_ids } = started.body as { readonly session_ids: readonly string[] }
    const entries = session_ids.map((session_id, index) => ({
      cursor: { session_id, offset: 0 },
      length: index + 1,
      close: true,
    }))

    const appended = await rig.content('files/upload_session/append_batch', { entries }, 'abb')
    const short = await rig.content('files/upload_session/append_batch', { entries }, 'ab')
    await rig.rpc('files/upload_session/finish_batch_v2', {
      entries: session_ids.map((session_id, index) => ({
        cursor: { session_id, offset: index + 1 },
        commit: { path: `/${index}` },
      })),
    })

    expect(appended.body).toEqual({ entries: [{ '.tag': 'success' }, { '.tag': 'success' }] })
    expect(short.body).toMatchObject({ error: { '.tag': 'length_mismatch' } })
    expect(rig.emulator.provider.owner.read('/1')?.toString()).toBe('bb')
  })
})

describe('concurrent sessions', () => {
  const grid = 4 * 1024 * 1024
  const concurrent = { session_type: { '.tag': 'concurrent' } }

  test('parts in any order make the file', async () => {
    const rig = await aDropbox()
    const id = await aSession(rig, concurrent)
    const [first, last] = [Buffer.alloc(grid, 1), Buffer.from('end')]
    const append = (offset: number, close: boolean, bytes: Buffer): ReturnType<Rig['content']> =>
      rig.content('files/upload_session/append_v2', { cursor: { session_id: id, offset }, close }, bytes)

    const one = await append(0, false, first)
    const two = await append(grid, true, last)
    const arg = { cursor: { session_id: id, offset: grid + 3 }, commit: { path: '/a' } }
    const finish = await rig.content('files/upload_session/finish', arg)

    expect([one.status, two.status]).toEqual([200, 200])
    expect(finish.body).toMatchObject({ content_hash: contentHash(Buffer.concat([first, last])) })
  })

  test.each([
    ['an offset off the grid', 5, false, 'x', 'concurrent_session_invalid_offset'],
    ['a size off the grid', 0, false, 'x', 'concurrent_session_invalid_data_size'],
  ])('%s is refused', async (_what, offset, close, bytes, tag) => {
    const rig = await aDropbox()
    const id = await aSession(rig, concurrent)

    const cursor = { session_id: id, offset }
    const reply = await rig.content('files/upload_session/append_v2', { cursor, close }, bytes)

    expect(reply.body).toMatchObject({ error: { '.tag': tag } })
  })

  test('a hole and an open session are found at the finish, data in start and finish is refused', async () => {
    const rig = await aDropbox()
    const id = await aSession(rig, concurrent)
    const finish = (bytes = ''): ReturnType<Rig['content']> =>
      rig.content(
        'files/upload_session/finish',
        { cursor: { session_id: id, offset: 0 }, commit: { path: '/a' } },
        bytes,
      )

    const open = await finish()
    const withData = await finish('x')
    const cursor = { session_id: id, offset: grid }
    await rig.content('files/upload_session/append_v2', { cursor, close: true }, 'end')
    const hole = await finish()
    const start = await rig.content('files/upload_session/start', concurrent, 'x')

    expect(open.body).toMatchObject({ error: { '.tag': 'concurrent_session_not_closed' } })
    expect(withData.body).toMatchObject({ error: { '.tag': 'concurrent_session_data_not_allowed' } })
    expect(hole.body).toMatchObject({ error: { '.tag': 'concurrent_session_missing_data' } })
    expect(start.body).toMatchObject({ error: { '.tag': 'concurrent_session_data_not_allowed' } })
  })
})

describe('names', () => {
  test('are one whatever their case, and keep the case they came with', async () => {
    const { put, rpc } = await aDropbox()
    await put('/Folder/File.TXT', 'x')

    const reply = await rpc('files/get_metadata', { path: '/fOLDER/fILE.txt' })

    expect(reply.body).toMatchObject({ ...file, path_display: '/Folder/File.TXT', path_lower: '/folder/file.txt' })
  })

  test.each([
    ['/ΣΣΣ', '/σσσ'],
    ['/Ꙋ', '/Ꙋ'],
    ['/E\u0301', '/\u00e9'],
  ])('%s has the key %s', async (path, lower) => {
    const { put } = await aDropbox()

    expect((await put(path, 'x')).body).toMatchObject({ path_lower: lower })
  })

  test('a decomposed name is not found', async () => {
    const { put, rpc } = await aDropbox()
    await put('/\u00e9', 'x')

    expect((await rpc('files/get_metadata', { path: '/e\u0301' })).body).toMatchObject(notFound)
  })

  test('emoji are refused by switch only', async () => {
    const today = await aDropbox()
    const then = await aDropbox({ rules: { refusesAstral: true } })

    expect((await today.put('/\u{1f600}', 'x')).status).toBe(200)
    expect((await then.put('/\u{1f600}', 'x')).status).toBe(409)
  })
})

describe('looking', () => {
  test('by path, id and revision', async () => {
    const { put, rpc } = await aDropbox()
    const old = await put('/a', 'one')
    const now = await put('/a', 'two')

    const byId = await rpc('files/get_metadata', { path: text(now, 'id') })
    const byRev = await rpc('files/get_metadata', { path: `rev:${text(old, 'rev')}` })
    const none = await rpc('files/get_metadata', { path: '/b' })

    expect(byId.body).toMatchObject({ ...file, rev: text(now, 'rev') })
    expect(byRev.body).toMatchObject({ ...file, content_hash: contentHash('one') })
    expect([none.status, none.body]).toMatchObject([409, notFound])
  })

  test('the root has no metadata: 400, or malformed_path by switch', async () => {
    const { rpc } = await aDropbox({ rules: { rootMetadata: 'malformed_path' } })

    const reply = await rpc('files/get_metadata', { path: '' })

    expect(reply.body).toMatchObject({ error: { '.tag': 'path', path: { '.tag': 'malformed_path' } } })
  })

  test('an account has a root and a usage', async () => {
    const { rpc } = await aDropbox()

    const reply = await rpc('users/get_current_account')

    expect(reply.body).toMatchObject({ root_info: { '.tag': 'user' }, account_type: { '.tag': 'basic' } })
  })
})

describe('listing', () => {
  test('comes in pages that together are everything', async () => {
    const { put, rpc } = await aDropbox()
    for (const name of ['a', 'b', 'sub/c']) await put(`/${name}`, name)

    const first = await rpc('files/list_folder', { path: '', recursive: true, limit: 3 })
    const second = await rpc('files/list_folder/continue', { cursor: text(first, 'cursor') })

    expect([...pathsOf(first), ...pathsOf(second)].sort()).toEqual(['/a', '/b', '/sub', '/sub/c'])
    expect([first.body, second.body]).toMatchObject([{ has_more: true }, { has_more: false }])
  })

  test('goes into folders only when asked', async () => {
    const { put, rpc } = await aDropbox()
    await put('/sub/c', 'x')

    expect(pathsOf(await rpc('files/list_folder', { path: '' }))).toEqual(['/sub'])
    expect(pathsOf(await rpc('files/list_folder', { path: '/sub' }))).toEqual(['/sub/c'])
  })

  test('of nothing, and of a file, is refused', async () => {
    const { put, rpc } = await aDropbox()
    await put('/a', 'x')

    expect((await rpc('files/list_folder', { path: '/b' })).body).toMatchObject(notFound)
    expect((await rpc('files/list_folder', { path: '/a' })).body).toMatchObject({
      error: { path: { '.tag': 'not_folder' } },
    })
  })

  test('goes on with what changed, deleted things included', async () => {
    const { put, rpc } = await aDropbox()
    await put('/a', 'x')
    const cursor = text(await rpc('files/list_folder/get_latest_cursor', { path: '', recursive: true }), 'cursor')

    await put('/b', 'y')
    await rpc('files/delete_v2', { path: '/a' })
    const changes = await rpc('files/list_folder/continue', { cursor })

    expect(changes.body).toMatchObject({
      entries: [
        { '.tag': 'file', path_lower: '/b' },
        { '.tag': 'deleted', path_lower: '/a' },
      ],
      has_more: false,
    })
    expect(pathsOf(await rpc('files/list_folder/continue', { cursor: text(changes, 'cursor') }))).toEqual([])
  })

  test('a cursor that is none is a 400', async () => {
    const { rpc } = await aDropbox()

    expect((await rpc('files/list_folder/continue', { cursor: 'nonsense' })).status).toBe(400)
  })

  test('longpoll needs no login, ends with a change, or without one after its time', async () => {
    const { put, rpc, raw, emulator } = await aDropbox()
    const cursor = text(await rpc('files/list_folder/get_latest_cursor', { path: '' }), 'cursor')
    const poll = (): ReturnType<Rig['raw']> =>
      raw('/2/files/list_folder/longpoll', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ cursor, timeout: 30 }),
      })

    const idle = poll()
    await emulator.recorder.until((seen) => seen.count('files/list_folder/longpoll') === 1, AbortSignal.timeout(20_000))
    await new Promise((resolve) => setTimeout(resolve, 50))
    emulator.clock.advance(31_000)
    expect((await idle).body).toEqual({ changes: false })

    const busy = poll()
    await emulator.recorder.until((seen) => seen.count('files/list_folder/longpoll') === 2, AbortSignal.timeout(20_000))
    await put('/a', 'x')
    expect((await busy).body).toEqual({ changes: true })
  })
})

describe('moving and removing', () => {
  test('a folder that is there is a conflict, as is a file', async () => {
    const { put, rpc } = await aDropbox()
    await put('/a', 'x')
    const made = await rpc('files/create_folder_v2', { path: '/d' })

    expect(made.body).toMatchObject({ metadata: { path_display: '/d' } })
    expect(made.body).not.toHaveProperty(['metadata', '.tag'])
    expect((await rpc('files/create_folder_v2', { path: '/D' })).body).toMatchObject(conflict('folder'))
    expect((await rpc('files/create_folder_v2', { path: '/a' })).body).toMatchObject(conflict('file'))
    expect((await rpc('files/create_folder_v2', { path: '/a/b' })).body).toMatchObject(conflict('file_ancestor'))
  })

  test('delete takes a folder with all in it, once', async () => {
    const { put, rpc, emulator } = await aDropbox()
    await put('/d/a', 'x')

    const first = await rpc('files/delete_v2', { path: '/d' })
    const second = await rpc('files/delete_v2', { path: '/d' })

    expect(first.body).toMatchObject({ metadata: { '.tag': 'folder', path_lower: '/d' } })
    expect(second.body).toMatchObject({ error: { '.tag': 'path_lookup', path_lookup: { '.tag': 'not_found' } } })
    expect(emulator.provider.owner.list()).toEqual([])
  })

  test('delete of another revision than the current one is refused', async () => {
    const { put, rpc } = await aDropbox()
    const old = text(await put('/a', 'one'), 'rev')
    await put('/a', 'two')

    expect((await rpc('files/delete_v2', { path: '/a', parent_rev: old })).status).toBe(409)
  })

  test('more files than a call can take are too many', async () => {
    const { put, rpc } = await aDropbox({ rules: { filesPerCallMax: 1 } })
    await put('/d/a', 'x')
    await put('/d/b', 'x')

    for (const [route, arg] of [
      ['files/delete_v2', { path: '/d' }],
      ['files/move_v2', { from_path: '/d', to_path: '/e' }],
    ] as const) {
      expect((await rpc(route, arg)).body).toMatchObject({ error: { '.tag': 'too_many_files' } })
    }
  })

  test('a move keeps the id and takes what is below along', async () => {
    const { put, rpc, emulator } = await aDropbox()
    const id = text(await put('/d/a', 'x'), 'id')

    await rpc('files/move_v2', { from_path: '/d', to_path: '/new/e' })

    expect(emulator.provider.owner.list().map(({ path }) => path)).toEqual(['/new', '/new/e', '/new/e/a'])
    expect((await rpc('files/get_metadata', { path: id })).body).toMatchObject({ path_lower: '/new/e/a' })
  })

  test('a copy is another file of the same content', async () => {
    const { put, rpc } = await aDropbox()
    const first = await put('/a', 'x')

    const copy = await rpc('files/copy_v2', { from_path: '/a', to_path: '/b' })

    expect(copy.body).toMatchObject({ metadata: { ...file, content_hash: contentHash('x') } })
    expect(copy.body).not.toMatchObject({ metadata: { id: text(first, 'id') } })
  })

  test('what cannot be moved says which end is wrong', async () => {
    const { put, rpc } = await aDropbox()
    await put('/d/a', 'x')
    await put('/b', 'y')
    const move = async (from_path: string, to_path: string): Promise<unknown> =>
      (await rpc('files/move_v2', { from_path, to_path })).body

    expect(await move('/none', '/x')).toMatchObject({ error: { from_lookup: { '.tag': 'not_found' } } })
    expect(await move('/d/a', '/b')).toMatchObject({ error: { to: { '.tag': 'conflict' } } })
    expect(await move('/d', '/d/e')).toMatchObject({ error: { '.tag': 'cant_move_folder_into_itself' } })
    expect(await move('/b', '/B')).toMatchObject({ error: { to: { '.tag': 'conflict' } } })
  })

  test('revisions can be listed, downloaded and restored, also of a deleted file', async () => {
    const { put, rpc, content, emulator } = await aDropbox()
    const old = text(await put('/a', 'one'), 'rev')
    await put('/a', 'two')
    await rpc('files/delete_v2', { path: '/a' })

    const revisions = await rpc('files/list_revisions', { path: '/a' })
    const download = await content('files/download', { path: `rev:${old}` })
    await rpc('files/restore', { path: '/a', rev: old })

    expect(revisions.body).toMatchObject({
      is_deleted: true,
      entries: [{ content_hash: contentHash('two') }, { content_hash: contentHash('one') }],
    })
    expect(download.bytes.toString()).toBe('one')
    expect(emulator.provider.owner.read('/a')?.toString()).toBe('one')
    expect((await rpc('files/restore', { path: '/a', rev: '0123456789' })).body).toMatchObject({
      error: { '.tag': 'invalid_revision' },
    })
  })
})

describe('download', () => {
  test('gives the bytes, and the metadata in an ASCII header', async () => {
    const { put, content } = await aDropbox()
    await put('/é\u{1f4f7}', 'content')

    const reply = await content('files/download', { path: '/é\u{1f4f7}' })

    expect(reply.bytes.toString()).toBe('content')
    const header = reply.headers.get('dropbox-api-result') ?? ''
    expect(header).toMatch(/^[\x20-\x7e]+$/)
    expect(JSON.parse(header)).toMatchObject({ name: 'é\u{1f4f7}', content_hash: contentHash('content') })
  })

  test.each([
    ['bytes=2-4', 206, 'cde', 'bytes 2-4/7'],
    ['bytes=5-', 206, 'fg', 'bytes 5-6/7'],
    ['bytes=-3', 206, 'efg', 'bytes 4-6/7'],
    ['bytes=7-', 416, '', 'bytes */7'],
  ])('%s is %i', async (range, status, bytes, contentRange) => {
    const { put, content } = await aDropbox()
    await put('/a', 'abcdefg')

    const reply = await content('files/download', { path: '/a' }, '', { Range: range })

    expect([reply.status, reply.bytes.toString(), reply.headers.get('content-range')]).toEqual([
      status,
      bytes,
      contentRange,
    ])
  })
})
