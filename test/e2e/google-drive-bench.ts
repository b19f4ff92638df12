/** The built program with one Google Drive target on an emulator of its own. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ownScope } from '../emulator/google-drive/login.ts'
import { aGoogleDrive, type DriveRig } from '../emulator/google-drive-rig.ts'
import { aBench, type Bench } from './rig.ts'

export interface DriveBench extends Bench {
  readonly rig: DriveRig
  /** What lies at Google Drive below the target's folder. */
  held(path: string): Buffer | undefined
}

/** With the least login, which sees only what Fanfold made. */
export async function aDriveBench(lines = ''): Promise<DriveBench> {
  const rig = await aGoogleDrive({}, [ownScope])
  const bench = aBench({ unused: '' })
  const { clientId, clientSecret } = rig.emulator.auth.client
  const target = `  - { name: drive, kind: google-drive, account: main, folder: Archive, endpoint: '${rig.emulator.url}', at: '{path}'${lines} }\n`
  writeFileSync(
    bench.config,
    `state: ./state\nsources:\n  - { name: inbox, path: ./inbox, settle: 200ms }\ntargets:\n${target}` +
      `accounts:\n  - { name: main, kind: google-drive, client-id: ${clientId}, client-secret-file: ./secret }\n`,
  )
  writeFileSync(join(bench.folder, 'secret'), `${clientSecret}\n`, { mode: 0o600 })
  const folder = join(bench.folder, 'state', 'accounts')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(join(folder, 'main.json'), JSON.stringify({ refreshToken: rig.refreshToken }), { mode: 0o600 })
  return { ...bench, rig, held: (path) => rig.emulator.provider.owner.read(`/Archive/${path}`) }
}
