/** A Box target on an emulator of its own, for the tests of this room. */
import { onTestFinished } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { boxTarget } from '../../src/target/box/box.ts'
import type { FolderMemory } from '../../src/target/folder-memory.ts'
import type { Target } from '../../src/target/target.ts'
import { openTransport } from '../../src/target/transport/transport.ts'
import type { BoxOptions } from '../emulator/box/box.ts'
import { aBox, type BoxRig } from '../emulator/box-rig.ts'
import type { Fixture } from './contract.ts'
import { openPace } from './transport-fixture.ts'

export interface BoxFixture extends Fixture {
  readonly rig: BoxRig
  readonly pace: ReturnType<typeof openPace>
  readonly folders: FolderMemory
  /** Calls that arrived so far, by route. */
  readonly calls: () => readonly string[]
}

const kibibyte = 1024
/** Small enough for many parts in little time. */
export const partBytes = 64 * kibibyte
export const directBytesMax = 128 * kibibyte

export async function aBoxTarget(options: Partial<BoxOptions> = {}, folder = 'Archive'): Promise<BoxFixture> {
  const rules = { partBytes, sessionBytesMin: directBytesMax, ...options.rules }
  const rig = await aBox({ ...options, rules })
  const { emulator } = rig
  const { owner } = emulator.provider
  const root = folder === '' ? '' : `/${folder}`
  const pace = openPace()
  const folders = aFolderMemory()
  return {
    rig,
    pace,
    folders,
    calls: () => emulator.recorder.records.map(({ route }) => route),
    target: aTarget(rig, folder, pace, folders),
    again: () => aTarget(rig, folder, pace, folders),
    held: (path) => Promise.resolve(owner.read(`${root}/${path}`)),
    alter: (path, content) => {
      owner.write(`${root}/${path}`, content)
      return Promise.resolve()
    },
    names: () => Promise.resolve(boxNamesIn(rig, root)),
    end: () => Promise.resolve(),
  }
}

/** As the journal's, without a journal. */
export function aFolderMemory(): FolderMemory {
  const ids = new Map<string, string>()
  return {
    get: (path) => ids.get(path),
    keep: (path, id) => {
      ids.set(path, id)
      return Promise.resolve()
    },
    forget: (path) => {
      for (const known of [...ids.keys()])
        if (path === '' || known === path || known.startsWith(`${path}/`)) ids.delete(known)
      return Promise.resolve()
    },
  }
}

function aTarget(rig: BoxRig, folder: string, pace: ReturnType<typeof openPace>, folders: FolderMemory): Target {
  let { accessToken: token, refreshToken } = rig
  const transport = openTransport({
    name: 'cloud',
    settings: { endpoints: { 'api.box.com': rig.emulator.url, 'upload.box.com': rig.emulator.url } },
    pace,
    credentials: {
      bearer: () => Promise.resolve(token),
      renew: () => {
        // A login that was taken back stays so.
        const grant = rig.emulator.auth.refresh(refreshToken)
        token = grant?.accessToken ?? 'none'
        refreshToken = grant?.refreshToken ?? 'none'
        return Promise.resolve(token)
      },
    },
    clock: systemClock,
    log: silentLog,
  })
  onTestFinished(() => transport.close())
  const options = { name: 'cloud', account: 'main', folder, transport, folders, clock: systemClock }
  return boxTarget({ ...options, directBytesMax, patienceMs: 5 })
}

export function boxNamesIn(rig: BoxRig, root: string): string[] {
  const paths = rig.emulator.provider.owner.list().map(({ path }) => path)
  const below = paths.filter((path) => path.startsWith(`${root}/`)).map((path) => path.slice(root.length + 1))
  return below.filter((path) => !path.includes('/')).sort()
}
