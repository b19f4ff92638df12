/** A daemon that cannot start leaves nothing behind, and one that cannot take a whole configuration over says what is in force. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { seededRandom } from '../../src/base/random.ts'
import { type AccountConfig, readConfig } from '../../src/config/config.ts'
import { startDaemon } from '../../src/daemon/daemon.ts'
import { Logins } from '../../src/daemon/logins.ts'
import { Reloader, type ConfigStep } from '../../src/daemon/reload.ts'
import { aFolder } from '../builders.ts'

function aConfig(targets: Readonly<Record<string, string>>, sources: readonly string[] = ['inbox']): string {
  const folder = aFolder()
  for (const name of sources) mkdirSync(join(folder, name))
  writeTo(folder, targets, sources)
  return folder
}

function writeTo(folder: string, targets: Readonly<Record<string, string>>, sources: readonly string[]): void {
  const sourceLines = sources.map((name) => `  - { name: ${name}, path: ./${name} }\n`).join('')
  const targetLines = Object.entries(targets).map(([name, more]) => {
    return `  - { name: ${name}, kind: directory, path: ./copies/${name}${more} }\n`
  })
  writeFileSync(fileIn(folder), `state: ./state\nsources:\n${sourceLines}targets:\n${targetLines.join('')}`)
}

const fileIn = (folder: string): string => join(folder, 'fanfold.yaml')

describe('a daemon that cannot start', () => {
  test('gives lock, journal and threads back', async () => {
    const folder = aConfig({ nas: '' })
    const config = readConfig(fileIn(folder))
    const options = { log: () => silentLog, clock: systemClock, random: seededRandom(1) }
    const inTheWay = join(config.state, 'control.sock', 'something')
    mkdirSync(inTheWay, { recursive: true })

    const failed = startDaemon(config, options, new AbortController().signal)

    await expect(failed).rejects.toThrow('control.sock')
    rmSync(join(config.state, 'control.sock'), { recursive: true })
    const daemon = await startDaemon(config, options, new AbortController().signal)
    expect(daemon.desk.status().targets.map(({ name }) => name)).toEqual(['nas'])
    await daemon.stop()
  })
})

test('an account that is changed is the changed one for whoever asks, also while the old one ends', async () => {
  const before: AccountConfig = { name: 'main', kind: 'dropbox', clientId: 'old', clientSecretFile: undefined }
  const after: AccountConfig = { ...before, clientId: 'new' }
  const config = { state: aFolder(), http: { proxy: undefined, caFile: undefined }, accounts: [before] }
  const logins = new Logins(config, { clock: systemClock, log: () => silentLog })

  const changed = logins.change({ role: 'account', verb: 'changed', entry: after })

  expect(logins.account(before).config).toBe(after)
  await changed
  expect(logins.account(before).config).toBe(after)
  await logins.close()
})

describe('a configuration of which only a part can be taken over', () => {
  interface Rig {
    readonly folder: string
    readonly reloader: Reloader
    readonly asked: string[]
    broken: string | undefined
  }

  function aReloader(): Rig {
    const folder = aConfig({ nas: '', old: '' }, ['inbox', 'scans'])
    const asked: string[] = []
    const apply = ({ role, verb, entry }: ConfigStep): Promise<void> => {
      asked.push(`${role} ${entry.name} ${verb}`)
      return entry.name === rig.broken ? Promise.reject(new Error('no room')) : Promise.resolve()
    }
    const quiet = { reloading: () => {}, reloaded: () => {} }
    const parts = { log: silentLog, apply, note: () => {}, follow: () => Promise.resolve(), announce: quiet }
    const rig: Rig = {
      folder,
      asked,
      broken: undefined,
      reloader: new Reloader(readConfig(fileIn(folder)), parts),
    }
    return rig
  }

  test('says what is in force and where it ended, and the next reload does the rest', async () => {
    const rig = aReloader()
    const { reloader, asked, folder } = rig
    writeTo(folder, { nas: ', select: { include: ["*.pdf"] }', usb: '' }, ['inbox', 'scans'])
    rig.broken = 'nas'

    await expect(reloader.reload()).rejects.toThrow(/in force is target old removed; it ended at "target nas changed"/)

    expect(reloader.config.targets.map(({ name, select }) => [name, select.include])).toEqual([['nas', []]])
    expect(reloader.problem).toContain('no room; mend that and reload again')
    rig.broken = undefined
    asked.length = 0
    expect(await reloader.reload()).toEqual({ changes: ['target nas changed', 'target usb added'] })
    expect(asked).toEqual(['target nas changed', 'target usb added'])
    expect(reloader.problem).toBeNull()
    expect(reloader.config.targets.map(({ name, select }) => [name, select.include])).toEqual([
      ['nas', ['*.pdf']],
      ['usb', []],
    ])
  })

  test('a source that did not come is asked for again', async () => {
    const rig = aReloader()
    const { reloader, asked, folder } = rig
    writeTo(folder, { nas: '', old: '' }, ['inbox'])
    rig.broken = 'scans'
    await expect(reloader.reload()).rejects.toThrow('nothing of the new configuration')
    rig.broken = undefined

    await reloader.reload()

    expect(asked).toEqual(['source scans removed', 'source scans removed'])
    expect(reloader.config.sources.map(({ name }) => name)).toEqual(['inbox'])
  })
})
