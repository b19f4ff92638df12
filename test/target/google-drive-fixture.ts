/** A Google Drive target on an emulator of its own, with a journal that remembers its folders, for the tests of this room. */
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { openJournal } from '../../src/journal/journal.ts'
import { googleDriveTarget } from '../../src/target/google-drive/google-drive.ts'
import type { Target } from '../../src/target/target.ts'
import { openTransport } from '../../src/target/transport/transport.ts'
import { aFolder } from '../builders.ts'
import type { GoogleDriveOptions } from '../emulator/google-drive/google-drive.ts'
import { aGoogleDrive, type DriveRig } from '../emulator/google-drive-rig.ts'
import type { Fixture } from './contract.ts'
import { openPace } from './transport-fixture.ts'

export interface DriveFixture extends Fixture {
  readonly rig: DriveRig
  readonly pace: ReturnType<typeof openPace>
  /** Calls that arrived so far, by route. */
  readonly calls: () => readonly string[]
}

export interface DriveWish extends Partial<GoogleDriveOptions> {
  readonly scopes?: readonly string[]
  readonly root?: string
  readonly drive?: string
}

export async function aDriveTarget({
  scopes,
  root = 'Archive',
  drive,
  ...options
}: DriveWish = {}): Promise<DriveFixture> {
  const rig = await aGoogleDrive(options, scopes)
  const { emulator } = rig
  const { owner } = emulator.provider
  const pace = openPace()
  const journal = openJournal(join(aFolder(), 'journal.sqlite'), systemClock).journal
  onTestFinished(() => journal.close())
  journal.declareTarget('cloud', { kind: 'google-drive', selector: '', place: root })
  const aTarget = (): Target => {
    let token = rig.accessToken
    const transport = openTransport({
      name: 'cloud',
      settings: { endpoints: { 'www.googleapis.com': emulator.url } },
      pace,
      credentials: {
        bearer: () => Promise.resolve(token),
        renew: () => Promise.resolve((token = emulator.auth.refresh(rig.refreshToken)?.accessToken ?? 'none')),
      },
      clock: systemClock,
      log: silentLog,
    })
    onTestFinished(() => transport.close())
    const folders = journal.foldersAt('cloud')
    // Small ones prove the same as large ones, in less time.
    const sizes = { oneCallBytesMax: 100_000, chunkBytes: 256 * 1024 }
    const common = { sizes, name: 'cloud', account: 'main', transport, folders, clock: systemClock, log: silentLog }
    return googleDriveTarget({ ...common, folder: root, drive })
  }
  const at = (path: string): string => `/${root}/${path}`.replace('//', '/')
  return {
    rig,
    pace,
    calls: () => emulator.recorder.records.map(({ route }) => route),
    target: aTarget(),
    again: aTarget,
    held: (path) => Promise.resolve(owner.read(at(path))),
    alter: (path, content) => {
      owner.write(at(path), content)
      return Promise.resolve()
    },
    names: () => {
      const below = owner.list().filter(({ path }) => path.startsWith(at('')))
      return Promise.resolve(
        below
          .map(({ path }) => path.slice(at('').length))
          .filter((path) => !path.includes('/'))
          .sort(),
      )
    },
    end: () => Promise.resolve(),
  }
}
