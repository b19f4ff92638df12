/** The built program with one Dropbox target on an emulator of its own. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { aDropbox, type Rig } from '../emulator/dropbox-rig.ts'
import type { InterceptingProxy } from '../emulator/proxy/proxy.ts'
import { aBench, type Bench } from './rig.ts'

export interface CloudBench extends Bench {
  readonly rig: Rig
  /** Writes the login that `fanfold login` would. */
  login(): void
  /** What lies at Dropbox below the target's folder. */
  held(path: string): Buffer | undefined
}

/** @param proxy the way to the emulator under Dropbox's own names; else it is the target's endpoint. */
export async function aCloudBench(lines = '', proxy?: (rig: Rig) => Promise<InterceptingProxy>): Promise<CloudBench> {
  const rig = await aDropbox()
  const bench = aBench({ unused: '' })
  const way = proxy === undefined ? `, endpoint: '${rig.emulator.url}'` : ''
  const http = proxy === undefined ? '' : `http: { proxy: '${(await proxy(rig)).url}', ca-file: ./ca.pem }\n`
  const target = `  - { name: cloud, kind: dropbox, account: main, folder: Archive, at: '{path}'${way}${lines} }\n`
  writeFileSync(
    bench.config,
    `state: ./state\nsources:\n  - { name: inbox, path: ./inbox, settle: 200ms }\ntargets:\n${target}` +
      'accounts:\n  - { name: main, kind: dropbox, client-id: emulatedappkey1 }\n' +
      http,
  )
  const login = (): void => {
    const folder = join(bench.folder, 'state', 'accounts')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(join(folder, 'main.json'), JSON.stringify({ refreshToken: rig.refreshToken }), { mode: 0o600 })
  }
  return { ...bench, rig, login, held: (path) => rig.emulator.provider.owner.read(`/Archive/${path}`) }
}
