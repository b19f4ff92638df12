/** install, uninstall and the unit's drop-in, below a root of their own; doctor on a configuration that is run by hand. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { aFolder } from '../builders.ts'
import { program } from '../e2e/rig.ts'

const dropIn = 'etc/systemd/system/fanfold.service.d/50-fanfold-install.conf'

function fanfold(...words: string[]): string {
  return execFileSync(process.execPath, [program, ...words], { encoding: 'utf8' })
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}

test('install puts unit, drop-in, user and a first configuration in place; a second one changes nothing', () => {
  const root = aFolder()

  const first = fanfold('install', '--root', root)
  const second = fanfold('install', '--root', root)

  expect(filesBelow(root)).toEqual([
    'etc/fanfold/fanfold.yaml',
    'etc/systemd/system/fanfold.service',
    dropIn,
    'etc/sysusers.d/fanfold.conf',
  ])
  expect(first).toContain('edit /etc/fanfold/fanfold.yaml')
  expect(second).not.toMatch(/^write/m)
  expect(fanfold('check', '--config', join(root, 'etc/fanfold/fanfold.yaml'))).toContain('is valid')
})

test('install --dry-run shows every file with its text and writes none', () => {
  const root = aFolder()

  const shown = fanfold('install', '--root', root, '--dry-run')

  expect(shown).toContain('    Type=notify\n')
  expect(shown).toContain('    ReadOnlyPaths=-/srv/fanfold/inbox\n')
  expect(filesBelow(root)).toEqual([])
})

test('F106: the drop-in binds sources read-only, opens targets, and takes odd names as they are', () => {
  const root = aFolder()
  mkdirSync(join(root, 'etc/fanfold'), { recursive: true })
  const source = (name: string, path: string): string => `{ name: ${name}, path: '${path}' }`
  writeFileSync(
    join(root, 'etc/fanfold/fanfold.yaml'),
    [
      'state: /var/lib/fanfold',
      `sources: [${source('a', '/srv/my papers')}, ${source('b', '/home/anna/100%:"x"')}]`,
      `targets: [{ name: c, kind: directory, path: /mnt/nas }, { name: d, kind: directory, path: /home/anna/copies }]`,
    ].join('\n'),
  )

  fanfold('install', '--root', root)
  const lines = readFileSync(join(root, dropIn), 'utf8').split('\n')

  expect(lines).toContain('ReadOnlyPaths="-/srv/my papers"')
  expect(lines).toContain('BindReadOnlyPaths="-/home/anna/100%%:\\"x\\""')
  expect(lines).toContain('ReadWritePaths=-/mnt/nas')
  expect(lines).toContain('BindPaths=-/home/anna/copies')
})

test('install refuses a wrong configuration with 78 and writes nothing', () => {
  const root = aFolder()
  mkdirSync(join(root, 'etc/fanfold'), { recursive: true })
  writeFileSync(join(root, 'etc/fanfold/fanfold.yaml'), 'sources: nonsense\n')

  const ended = spawnSync(process.execPath, [program, 'install', '--root', root], { encoding: 'utf8' })

  expect(ended.status).toBe(78)
  expect(filesBelow(root)).toEqual(['etc/fanfold/fanfold.yaml'])
})

test('uninstall takes away what install put there, but for the configuration; twice is no failure', () => {
  const root = aFolder()
  fanfold('install', '--root', root)

  const first = fanfold('uninstall', '--root', root)
  const second = fanfold('uninstall', '--root', root)

  expect(filesBelow(root)).toEqual(['etc/fanfold/fanfold.yaml'])
  expect(existsSync(join(root, 'etc/systemd/system/fanfold.service.d'))).toBe(false)
  expect(first).toContain('kept: /etc/fanfold/fanfold.yaml')
  expect(second).not.toMatch(/^remove/m)
})

test('F107: install --user needs no root, and tells of linger', () => {
  const settings = aFolder()
  const environment = { ...process.env, XDG_CONFIG_HOME: settings, XDG_STATE_HOME: join(settings, 'state') }

  const words = [program, 'install', '--user', '--root', '/']
  const shown = execFileSync(process.execPath, words, { encoding: 'utf8', env: environment })

  expect(filesBelow(settings)).toContain('systemd/user/fanfold.service')
  expect(shown).toMatch(/loginctl enable-linger \S+ /)
})

test('doctor gives each finding that is not good its fix, and ends with 1 where something is wrong', () => {
  const folder = aFolder()
  const config = join(folder, 'fanfold.yaml')
  writeFileSync(
    config,
    'state: ./state\nsources: [{ name: in, path: ./in }]\ntargets: [{ name: nas, kind: directory, path: ./nas }]\n',
  )

  const ended = spawnSync(process.execPath, [program, 'doctor', '--user', '--json', '--config', config], {
    encoding: 'utf8',
  })
  const { well, findings } = JSON.parse(ended.stdout) as {
    well: boolean
    findings: { state: string; finding: string; fix: string | null }[]
  }

  expect([ended.status, well]).toEqual([1, false])
  expect(findings.filter(({ state, fix }) => (state === 'good') !== (fix === null))).toEqual([])
  expect(findings.map(({ finding }) => finding)).toContain(`target nas: ${join(folder, 'nas')} is not there`)
})
