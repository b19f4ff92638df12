/** What a valid configuration means: defaults, amounts, paths, and the files that are shipped. */
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fileJsonSchema, findConfig, readConfig, warningsOf, type TargetConfig } from '../../src/config/config.ts'
import { tempFolder } from './temp-folder.ts'

const root = new URL('../../', import.meta.url).pathname

async function configOf(text: string): Promise<{ folder: string; config: ReturnType<typeof readConfig> }> {
  const folder = await tempFolder()
  await writeFile(join(folder, 'fanfold.yaml'), text)
  return { folder, config: readConfig(join(folder, 'fanfold.yaml')) }
}

const least = 'sources: [{ name: a, path: in }]\ntargets: [{ name: t, kind: directory, path: /mnt/t }]\n'

test('what is left out has its default, and relative paths are relative to the file', async () => {
  const { folder, config } = await configOf(least)

  expect(config).toEqual({
    file: join(folder, 'fanfold.yaml'),
    state: '/var/lib/fanfold',
    stateOnNetwork: 'refuse',
    node: { id: expect.stringMatching(/^[a-z0-9_-]{1,64}$/) as string, roles: ['watch', 'upload'] },
    http: { proxy: undefined, caFile: undefined },
    status: { listen: undefined, hosts: [] },
    notify: { ping: undefined, onRed: undefined, onGreen: undefined, digestMinute: undefined },
    sources: [
      {
        name: 'a',
        path: join(folder, 'in'),
        ignore: [],
        oneFileSystem: false,
        settleMs: 2000,
        unsettledMsMax: 600_000,
        unsettled: 'wait',
        checkWriters: false,
        rescanMs: 3_600_000,
        watch: 'auto',
      },
    ],
    targets: [
      {
        name: 't',
        kind: 'directory',
        path: '/mnt/t',
        select: {
          sources: undefined,
          include: [],
          exclude: [],
          sizeMin: 0,
          sizeMax: undefined,
          newerThanMs: undefined,
        },
        at: '{source}/{path}',
        onRemove: 'keep',
        onConflict: 'overwrite',
        formerly: undefined,
        removeAfterMs: 86_400_000,
        cooldownMs: 0,
        verify: { everyMs: 2_592_000_000, share: 0 },
        pace: {
          concurrency: 64,
          requests: undefined,
          uploads: undefined,
          bytesPerSecond: undefined,
          dailyBytes: undefined,
          hours: undefined,
        },
      },
    ],
    accounts: [],
  })
})

test('amounts come in one unit each', async () => {
  const { config } = await configOf(`
sources: [{ name: a, path: in, settle: 250ms, rescan: 15min, watch: poll }]
targets:
  - name: t
    kind: directory
    path: out
    select: { min-size: 1.5KiB, max-size: 5GB, newer-than: 2w }
    pace: { concurrency: 7, requests: 10/200ms, uploads: 600/min, bandwidth: 8Mbit/s, daily: 1.5TB, hours: '22:00-06:00, 12:00-13:30' }
`)

  expect(config.sources[0]).toMatchObject({ settleMs: 250, rescanMs: 900_000, watch: 'poll' })
  expect(config.targets[0]?.select).toMatchObject({ sizeMin: 1536, sizeMax: 5e9, newerThanMs: 1_209_600_000 })
  expect(config.targets[0]?.pace).toEqual({
    concurrency: 7,
    requests: { count: 10, intervalMs: 200 },
    uploads: { count: 600, intervalMs: 60_000 },
    bytesPerSecond: 1_000_000,
    dailyBytes: 1.5e12,
    hours: [
      { fromMinute: 1320, toMinute: 360 },
      { fromMinute: 720, toMinute: 810 },
    ],
  })
})

test('F28: the built-in ignore rules are switched off by taking everything back before the own rules', async () => {
  const { config } = await configOf(`
sources:
  - { name: a, path: a, ignore: ['!x.part'] }
  - { name: b, path: b, ignore: ['*.bak'], built-in-ignore: false }
targets: [{ name: t, kind: directory, path: out }]
`)

  expect(config.sources.map(({ ignore }) => ignore)).toEqual([['!x.part'], ['!*', '*.bak']])
})

test('the node is named after its host unless it has a name', async () => {
  const { config: unnamed } = await configOf(least)
  const { config: named } = await configOf(`node: { id: attic, roles: [watch] }\n${least}`)

  expect(hostname().toLowerCase()).toContain(unnamed.node.id.split('-')[0])
  expect(named.node).toEqual({ id: 'attic', roles: ['watch'] })
})

test('F119: the way to the clouds is what the file says, its paths relative to the file', async () => {
  const { folder, config } = await configOf(`http: { proxy: 'http://me:pw@proxy:3128', ca-file: ca.pem }\n${least}`)

  expect(config.http).toEqual({ proxy: 'http://me:pw@proxy:3128', caFile: join(folder, 'ca.pem') })
})

test('an alias of a block is used as written', async () => {
  const { config } = await configOf(`
sources: [{ name: a, path: in }]
targets:
  - { name: t, kind: directory, path: t, pace: &slow { uploads: 3/s } }
  - { name: u, kind: directory, path: u, pace: *slow }
`)

  expect(config.targets[1]?.pace.uploads).toEqual({ count: 3, intervalMs: 1000 })
})

test('a byte order mark at the start is no fault', async () => {
  const { config } = await configOf(`\ufeff${least}`)

  expect(config.sources).toHaveLength(1)
})

test('a source folder that is not there is a warning, no fault', async () => {
  const { folder, config } = await configOf(least)
  const before = warningsOf(config)

  await mkdir(join(folder, 'in'))

  expect(before).toEqual([`source "a": ${folder}/in is no folder now; it is watched as soon as it appears`])
  expect(warningsOf(config)).toEqual([])
})

test('a template under which files of two sources could meet is refused', async () => {
  const { config } = await configOf(`
sources: [{ name: a, path: a }, { name: b, path: b }]
targets:
  - { name: t, kind: directory, path: t, at: '{path}' }
  - { name: u, kind: directory, path: u, at: '{path}', select: { sources: [a] } }
`).catch((thrown: unknown) => ({ config: thrown }))

  expect(config).toMatchObject({
    problems: [{ line: 4, key: 'targets[0].at', message: expect.stringContaining('without {source}') as string }],
  })
})

test('the flag names the file, else the variable, else the system has one', () => {
  expect(findConfig('/a.yaml', { FANFOLD_CONFIG: '/b.yaml' })).toBe('/a.yaml')
  expect(findConfig(undefined, { FANFOLD_CONFIG: '/b.yaml' })).toBe('/b.yaml')
  expect(findConfig(undefined, { FANFOLD_CONFIG: '' })).toBe('/etc/fanfold/fanfold.yaml')
  expect(findConfig(undefined, {})).toBe('/etc/fanfold/fanfold.yaml')
})

test('the example file is valid and says what it means to', () => {
  const config = readConfig(join(root, 'config/fanfold.example.yaml'))

  expect(config.state).toBe('/var/lib/fanfold')
  expect(config.http).toEqual({ proxy: 'http://proxy.example:3128', caFile: '/etc/ssl/certs/office-proxy.pem' })
  expect(config.sources.map(({ name, path }) => [name, path])).toEqual([
    ['papers', '/srv/papers'],
    ['photos', '/home/anna/Pictures'],
  ])
  expect(config.targets.map((target) => [target.name, placeOf(target), target.at])).toEqual([
    ['nas', '/mnt/nas/archive', '{host}/{source}/{path}'],
    ['second-disk', '/mnt/backup/fanfold', '{source}/{path}'],
    ['stick', '/media/stick/papers', '{yyyy}/{path}'],
    ['cloud', 'main:Archive/office', '{source}/{path}'],
    ['drive', 'google:Archive/office', '{source}/{path}'],
    ['office', 'office:Archive/office', '{source}/{path}'],
    ['work', 'microsoft:Archive/office', '{source}/{path}'],
  ])
  expect(config.targets[0]?.pace).toEqual({
    concurrency: 4,
    requests: { count: 50, intervalMs: 1000 },
    uploads: { count: 600, intervalMs: 60_000 },
    bytesPerSecond: 20 * 2 ** 20,
    dailyBytes: 700 * 2 ** 30,
    monthlyRequests: 45_000,
    hours: [{ fromMinute: 1320, toMinute: 360 }],
  })
})

test('every key there is stands in the example, with a remark above it', () => {
  const text = readFileSync(join(root, 'config/fanfold.example.yaml'), 'utf8')

  const keys = new Set(keysOf(fileJsonSchema()))

  expect(keys.size).toBeGreaterThan(25)
  for (const key of keys) expect(text, key).toMatch(new RegExp(`^ *(- )?${key}:`, 'm'))
  for (const key of ['state', 'watch', 'requests', 'newer-than'])
    expect(text, key).toMatch(new RegExp(`^ *#.*\\n *${key}:`, 'm'))
})

test('the quickstart file is valid and keeps to one folder', () => {
  const config = readConfig(join(root, 'config/quickstart.yaml'))

  const folders = [config.state, ...config.sources.map(({ path }) => path), ...config.targets.map(placeOf)]
  expect(folders.filter((folder) => !folder.startsWith(join(root, 'quickstart/')))).toEqual([])
  expect(config.targets.map(({ name }) => name)).toEqual(['everything', 'pictures', 'small-files', 'slow-lane'])
})

test('the schema describes every key for editors', () => {
  const schema = fileJsonSchema()

  expect(schema).toMatchObject({ type: 'object', additionalProperties: false, required: ['sources', 'targets'] })
  expect(undescribed(schema)).toEqual([])
})

test('an account’s keys are told apart by its cloud', async () => {
  const folder = await tempFolder()
  const file = join(folder, 'fanfold.yaml')
  const problemsOf = async (account: string): Promise<string> => {
    await writeFile(
      file,
      `sources: [{ name: a, path: in }]\ntargets: [{ name: t, kind: directory, path: /mnt/t }]\naccounts: [${account}]\n`,
    )
    try {
      readConfig(file)
      return 'good'
    } catch (thrown) {
      return thrown instanceof Error ? thrown.message : 'strange'
    }
  }

  expect(await problemsOf('{ name: m, kind: google-drive }')).toContain('accounts[0].client-id')
  expect(await problemsOf('{ name: m, kind: google-drive, service: { key-file: k } }')).toBe('good')
  expect(await problemsOf('{ name: m, kind: google-drive, service: {} }')).toContain('key-file')
  expect(await problemsOf('{ name: m, kind: dropbox, client-id: a, access: all }')).toContain('has no "all"')
  expect(await problemsOf('{ name: m, kind: dropbox, client-id: a, service: {} }')).toContain('log in as a person')
  expect(await problemsOf('{ name: m, kind: box, client-id: a, service: {} }')).toContain('the number of an enterprise')
  expect(await problemsOf("{ name: m, kind: box, client-id: a, service: { enterprise: '7' } }")).toBe('good')
  expect(await problemsOf('{ name: m, kind: onedrive, client-id: a, service: {} }')).toContain('tenant')
  expect(await problemsOf('{ name: m, kind: box, client-id: a, tenant: t }')).toContain('has no "tenant"')
  expect(await problemsOf('{ name: m, kind: box, client-id: a, client-secret-expires: 2027-02-31x }')).toContain(
    'a day',
  )
})

test('a target at a cloud carries its account', async () => {
  const folder = await tempFolder()
  const file = join(folder, 'fanfold.yaml')
  await writeFile(
    file,
    `sources: [{ name: a, path: in }]
targets: [{ name: t, kind: dropbox, account: main, folder: /Archive/office, endpoint: 'http://127.0.0.1:1' }]
accounts: [{ name: main, kind: dropbox, client-id: app, client-secret-file: secret }]
`,
  )

  expect(readConfig(file).targets[0]).toMatchObject({
    kind: 'dropbox',
    account: { name: 'main', kind: 'dropbox', clientId: 'app', clientSecretFile: join(folder, 'secret') },
    folder: 'Archive/office',
    endpoint: 'http://127.0.0.1:1',
  })
})

function placeOf(target: TargetConfig): string {
  return target.kind === 'directory' ? target.path : `${target.account.name}:${target.folder}`
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly description?: string
}

function keysOf(schema: Schema): string[] {
  const inside = Object.entries(schema.properties ?? {}).flatMap(([key, value]) => [key, ...keysOf(value)])
  return schema.items === undefined ? inside : [...inside, ...keysOf(schema.items)]
}

function undescribed(schema: Schema): string[] {
  const own = Object.entries(schema.properties ?? {})
  const missing = own.flatMap(([key, value]) => [
    ...(value.description === undefined ? [key] : []),
    ...undescribed(value),
  ])
  return schema.items === undefined ? missing : [...missing, ...undescribed(schema.items)]
}
