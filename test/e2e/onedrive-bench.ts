/** The built program with a OneDrive target on an emulator of its own. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { OneDriveOptions } from '../emulator/onedrive/onedrive.ts'
import { aOneDrive, type OneDriveRig } from '../emulator/onedrive-rig.ts'
import { aBench, type Bench } from './rig.ts'

export interface CloudBench extends Bench {
  readonly rig: OneDriveRig
  /** What lies at OneDrive below the target's folder. */
  held(path: string): Buffer | undefined
}

export async function aCloudBench(options: Partial<OneDriveOptions> = {}, lines = ''): Promise<CloudBench> {
  const rig = await aOneDrive({ ...options, rules: { refusesBearer: true, alignsFragments: true } })
  const bench = aBench({ unused: '' })
  const place = `account: main, folder: Archive, endpoint: '${rig.emulator.url}', at: '{path}'`
  writeFileSync(
    bench.config,
    `state: ./state\nsources:\n  - { name: inbox, path: ./inbox, settle: 200ms }\n` +
      `targets:\n  - { name: cloud, kind: onedrive, ${place}${lines} }\n` +
      'accounts:\n  - { name: main, kind: onedrive, client-id: emulated-app-1, access: files }\n',
  )
  const folder = join(bench.folder, 'state', 'accounts')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(join(folder, 'main.json'), JSON.stringify({ refreshToken: rig.refreshToken }), { mode: 0o600 })
  return { ...bench, rig, held: (path) => rig.emulator.provider.owner.read(`/Archive/${path}`) }
}
