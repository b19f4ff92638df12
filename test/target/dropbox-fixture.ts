/** A Dropbox target on an emulator of its own, for the tests of this room. */
import { onTestFinished } from 'vitest'
import { systemClock, type Clock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { dropboxTarget } from '../../src/target/dropbox/dropbox.ts'
import type { Target } from '../../src/target/target.ts'
import { openTransport } from '../../src/target/transport/transport.ts'
import type { DropboxOptions } from '../emulator/dropbox/dropbox.ts'
import { aDropbox, type Rig } from '../emulator/dropbox-rig.ts'
import type { Fixture } from './contract.ts'
import { openPace } from './transport-fixture.ts'

export interface DropboxFixture extends Fixture {
  readonly rig: Rig
  readonly pace: ReturnType<typeof openPace>
  /** Calls that arrived so far, by route. */
  readonly calls: () => readonly string[]
}

export async function aDropboxTarget(
  options: Partial<DropboxOptions> = {},
  folder = 'Archive',
  clock: Clock = systemClock,
): Promise<DropboxFixture> {
  const rig = await aDropbox(options)
  const { emulator } = rig
  const { owner } = emulator.provider
  const root = folder === '' ? '' : `/${folder}`
  const pace = openPace()
  return {
    rig,
    pace,
    calls: () => emulator.recorder.records.map(({ route }) => route),
    keepsTimes: false,
    target: aTarget(rig, folder, pace, clock),
    again: () => aTarget(rig, folder, pace, clock),
    held: (path) => Promise.resolve(owner.read(`${root}/${path}`)),
    alter: (path, content) => {
      owner.write(`${root}/${path}`, content)
      return Promise.resolve()
    },
    names: () => Promise.resolve(namesIn(rig, root)),
    end: () => Promise.resolve(),
  }
}

function aTarget(rig: Rig, folder: string, pace: ReturnType<typeof openPace>, clock: Clock): Target {
  let token = rig.accessToken
  const transport = openTransport({
    name: 'cloud',
    settings: { endpoints: endpointsTo(rig.emulator.url) },
    pace,
    credentials: {
      bearer: () => Promise.resolve(token),
      renew: () => Promise.resolve((token = rig.emulator.auth.refresh(rig.refreshToken)?.accessToken ?? 'none')),
    },
    clock,
    log: silentLog,
  })
  onTestFinished(() => transport.close())
  return dropboxTarget({ name: 'cloud', account: 'main', folder, transport })
}

function endpointsTo(url: string): Readonly<Record<string, string>> {
  return { 'api.dropboxapi.com': url, 'content.dropboxapi.com': url, 'notify.dropboxapi.com': url }
}

export function namesIn(rig: Rig, root: string): string[] {
  const paths = rig.emulator.provider.owner.list().map(({ path }) => path)
  const below = paths.filter((path) => path.startsWith(`${root}/`)).map((path) => path.slice(root.length + 1))
  return below.filter((path) => !path.includes('/')).sort()
}
