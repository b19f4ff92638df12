/** The built program with one Box target on an emulator of its own. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { aBox, type BoxRig } from '../emulator/box-rig.ts'
import { aBench, type Bench } from './rig.ts'

export interface BoxBench extends Bench {
  readonly rig: BoxRig
  /** Writes the login that `fanfold login` would. */
  login(): void
  /** What lies at Box below the target's folder. */
  held(path: string): Buffer | undefined
}

/** @param account of an account that is a program's own: what stands in it, given the folder of the configuration. */
export async function aBoxBench(lines = '', account?: (rig: BoxRig, folder: string) => string): Promise<BoxBench> {
  const rig = await aBox()
  const bench = aBench({ unused: '' })
  const { clientId, clientSecret } = rig.emulator.auth.client
  const target = `  - { name: cloud, kind: box, account: main, folder: Archive, at: '{path}', endpoint: '${rig.emulator.url}'${lines} }\n`
  writeFileSync(join(bench.folder, 'secret'), clientSecret, { mode: 0o600 })
  writeFileSync(
    bench.config,
    `state: ./state\nsources:\n  - { name: inbox, path: ./inbox, settle: 200ms }\ntargets:\n${target}` +
      `accounts:\n  - { name: main, kind: box, ${account?.(rig, bench.folder) ?? `client-id: ${clientId}, client-secret-file: ./secret`} }\n`,
  )
  const login = (): void => {
    const folder = join(bench.folder, 'state', 'accounts')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const { refreshToken } = rig.emulator.auth.login()
    writeFileSync(join(folder, 'main.json'), JSON.stringify({ refreshToken }), { mode: 0o600 })
  }
  return { ...bench, rig, login, held: (path) => rig.emulator.provider.owner.read(`/Archive/${path}`) }
}
