/** One target of each kind, called `cloud` whatever it is, with its owner's hand in it: what is asked of all of them is written once. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import type { Armed, FaultScript } from '../emulator/core/faults.ts'
import type { Provider } from '../emulator/core/provider.ts'
import type { Recorder } from '../emulator/core/recorder.ts'
import { aBox } from '../emulator/box-rig.ts'
import { aDropbox } from '../emulator/dropbox-rig.ts'
import { aGoogleDrive } from '../emulator/google-drive-rig.ts'
import { aOneDrive } from '../emulator/onedrive-rig.ts'
import { aBench, type Bench, isCopy } from './rig.ts'

/** Paths are below the target's own folder. */
export interface KindBench extends Bench {
  write(path: string, content: string): void
  remove(path: string): void
  /** Another name in the same folder. */
  rename(path: string, name: string): void
  read(path: string): string | undefined
  /** Paths of all copies, and of whatever else lies there, in order. */
  paths(): string[]
  /** Requests so far; 0 of a directory. */
  requests(): number
  /** Does something when the nth request from now comes, unless it is taken away. @throws Error at a directory, which is asked without anybody seeing it. */
  atRequest(nth: number, work: () => void): Pick<Armed, 'disarm'>
}

interface Emulated {
  readonly emulator: {
    readonly url: string
    readonly provider: Pick<Provider, 'owner'>
    readonly recorder: Recorder
    fault(script: FaultScript): Armed
    readonly auth: { readonly client: { readonly clientId: string; readonly clientSecret: string } }
  }
  readonly refreshToken: string
}

function cloudBench(kind: string, { emulator, refreshToken }: Emulated, accountLines: string): KindBench {
  const bench = aBench({ unused: '' })
  const { owner } = emulator.provider
  const { clientId, clientSecret } = emulator.auth.client
  const secret = kind === 'dropbox' || kind === 'onedrive' ? '' : ', client-secret-file: ./secret'
  writeFileSync(
    bench.config,
    `state: ./state\nsources:\n  - { name: inbox, path: ./inbox, settle: 200ms }\n` +
      `targets:\n  - { name: cloud, kind: ${kind}, account: main, folder: Archive, endpoint: '${emulator.url}', at: '{path}' }\n` +
      `accounts:\n  - { name: main, kind: ${kind}, client-id: ${clientId}${secret}${accountLines} }\n`,
  )
  writeFileSync(join(bench.folder, 'secret'), `${clientSecret}\n`, { mode: 0o600 })
  const folder = join(bench.folder, 'state', 'accounts')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(join(folder, 'main.json'), JSON.stringify({ refreshToken }), { mode: 0o600 })
  return {
    ...bench,
    write: (path, content) => owner.write(`/Archive/${path}`, content),
    remove: (path) => owner.remove(`/Archive/${path}`),
    rename: (path, name) => owner.rename(`/Archive/${path}`, name),
    read: (path) => owner.read(`/Archive/${path}`)?.toString(),
    paths: () =>
      owner
        .list()
        .filter(isCopy)
        .map(({ path }) => path.replace('/Archive/', ''))
        .sort(),
    atRequest: (nth, work) => emulator.fault({ nth, fault: { do: 'call', when: 'before', work } }),
    requests: () => emulator.recorder.total,
  }
}

function directoryBench(): KindBench {
  const bench = aBench({ cloud: '' })
  const at = (path: string): string => join(bench.copies('cloud'), path)
  return {
    ...bench,
    write: (path, content) => writeFileSync(at(path), content),
    remove: (path) => rmSync(at(path)),
    rename: (path, name) => renameSync(at(path), join(dirname(at(path)), name)),
    read: (path) => {
      try {
        return readFileSync(at(path), 'utf8')
      } catch {
        // Nothing is there.
        return undefined
      }
    },
    paths: () =>
      readdirSync(bench.copies('cloud'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(bench.copies('cloud'), join(entry.parentPath, entry.name)))
        .sort(),
    requests: () => 0,
    atRequest: () => {
      throw new Error('a directory gets no requests')
    },
  }
}

/** With logins that see what others put there. */
export const kindBenches: Readonly<Record<string, () => Promise<KindBench>>> = {
  directory: () => Promise.resolve(directoryBench()),
  box: async () => {
    const rig = await aBox()
    return cloudBench('box', { ...rig, refreshToken: rig.emulator.auth.login().refreshToken }, '')
  },
  dropbox: async () => cloudBench('dropbox', await aDropbox(), ''),
  'google-drive': async () => cloudBench('google-drive', await aGoogleDrive(), ', access: all'),
  onedrive: async () => {
    const rules = { refusesBearer: true, alignsFragments: true } as const
    return cloudBench('onedrive', await aOneDrive({ rules }), ', access: files')
  },
}
