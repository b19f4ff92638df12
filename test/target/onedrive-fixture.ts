/** A OneDrive target on an emulator of its own, for the tests of this room. */
import { onTestFinished } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { Log } from '../../src/base/log.ts'
import { silentLog } from '../../src/base/log.ts'
import { type DriveChoice, oneDriveTarget } from '../../src/target/onedrive/onedrive.ts'
import type { Target } from '../../src/target/target.ts'
import { openTransport } from '../../src/target/transport/transport.ts'
import type { OneDriveOptions } from '../emulator/onedrive/onedrive.ts'
import { aOneDrive, type OneDriveRig } from '../emulator/onedrive-rig.ts'
import type { Fixture } from './contract.ts'
import { openPace } from './transport-fixture.ts'

/** Small, so that few bytes are many fragments. */
export const fragmentBytes = 320 * 1024

export interface OneDriveFixture extends Fixture {
  readonly rig: OneDriveRig
  readonly pace: ReturnType<typeof openPace>
  /** Calls that arrived so far, by route. */
  readonly calls: () => readonly string[]
  /** Lines of warning. */
  readonly warnings: string[]
}

export interface Wish extends Partial<OneDriveOptions> {
  readonly drive?: DriveChoice
  /** Of the target; 'Archive' where left out. */
  readonly place?: string
  /** What the login may; the whole drive where left out. */
  readonly scopes?: readonly string[]
}

export async function aOneDriveTarget({
  drive = 'own',
  place = 'Archive',
  scopes,
  ...options
}: Wish = {}): Promise<OneDriveFixture> {
  // The real service is strict at times; who works without a bearer there works in any case.
  const rig = await aOneDrive({ ...options, rules: { refusesBearer: true, alignsFragments: true, ...options.rules } })
  const { emulator } = rig
  const { owner } = emulator.provider
  const root = `${drive === 'app-folder' ? '/Apps/Fanfold' : ''}${place === '' ? '' : `/${place}`}`
  const pace = openPace()
  const warnings: string[] = []
  const refreshToken = scopes === undefined ? rig.refreshToken : emulator.auth.login(scopes).refreshToken
  const log: Log = { ...silentLog, warn: (event) => warnings.push(event) }
  const make = (): Target => {
    let token = emulator.auth.refresh(refreshToken)?.accessToken ?? 'none'
    const renewed = (): string => (token = emulator.auth.refresh(refreshToken)?.accessToken ?? 'none')
    const transport = openTransport({
      name: 'cloud',
      settings: { endpoints: { 'graph.microsoft.com': emulator.url } },
      pace,
      credentials: { bearer: () => Promise.resolve(token), renew: () => Promise.resolve(renewed()) },
      clock: systemClock,
      log: silentLog,
    })
    onTestFinished(() => transport.close())
    return oneDriveTarget({ name: 'cloud', account: 'main', drive, folder: place, transport, log, fragmentBytes })
  }
  return {
    rig,
    pace,
    warnings,
    calls: () => emulator.recorder.records.map(({ route }) => route),
    keepsTimes: false,
    target: make(),
    again: make,
    held: (path) => Promise.resolve(owner.read(`${root}/${path}`)),
    alter: (path, content) => {
      owner.write(`${root}/${path}`, content)
      return Promise.resolve()
    },
    names: () => Promise.resolve(namesIn(rig, root)),
    end: () => Promise.resolve(),
  }
}

export function namesIn(rig: OneDriveRig, root: string): string[] {
  const paths = rig.emulator.provider.owner.list().map(({ path }) => path)
  const below = paths.filter((path) => path.startsWith(`${root}/`)).map((path) => path.slice(root.length + 1))
  return below.filter((path) => !path.includes('/')).sort()
}
