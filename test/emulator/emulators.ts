/** All providers there are, started together with the proxy in front of them. A new provider is one line here. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { boxEmulator } from './box/box.ts'
import type { Emulator } from './core/emulator.ts'
import { dropboxEmulator } from './dropbox/dropbox.ts'
import { googleDriveEmulator } from './google-drive/google-drive.ts'
import { oneDriveEmulator } from './onedrive/onedrive.ts'
import { InterceptingProxy } from './proxy/proxy.ts'

export interface EmulatorsOptions {
  /** Emptied of what an earlier run left. */
  readonly folder: string
  readonly names: readonly ProviderName[]
  /** Of OneDrive, where the two kinds differ. */
  readonly driveType: DriveType
  /** Holds each answer against the provider's description. */
  readonly checksAnswers: boolean
}

export type DriveType = 'personal' | 'business'

const makers = {
  box: ({ folder, checksAnswers }) => boxEmulator({ folder: join(folder, 'box'), checksAnswers }),
  dropbox: ({ folder, checksAnswers }) => dropboxEmulator({ folder: join(folder, 'dropbox'), checksAnswers }),
  'google-drive': ({ folder, checksAnswers }) =>
    googleDriveEmulator({ folder: join(folder, 'google-drive'), checksAnswers }),
  onedrive: ({ folder, checksAnswers, driveType }) =>
    oneDriveEmulator({ folder: join(folder, 'onedrive'), checksAnswers, driveType }),
} as const satisfies Readonly<Record<string, (options: EmulatorsOptions) => Emulator>>

export type ProviderName = keyof typeof makers
export const providerNames = Object.keys(makers) as readonly ProviderName[]

export interface Emulators {
  readonly proxy: InterceptingProxy
  readonly emulators: ReadonlyMap<ProviderName, Emulator>
  /** What another process needs to know, as JSON. */
  readonly card: unknown
  stop(): Promise<void>
}

export async function startEmulators(options: EmulatorsOptions): Promise<Emulators> {
  mkdirSync(options.folder, { recursive: true })
  const emulators = new Map<ProviderName, Emulator>(options.names.map((name) => [name, makers[name](options)]))
  const proxy = proxyFor([...emulators.values()])
  const servers = [...emulators.values(), proxy]
  for (const server of servers) await server.start()
  const ca = join(options.folder, 'ca.pem')
  writeFileSync(ca, proxy.authority)
  return {
    proxy,
    emulators,
    card: cardOf(emulators, proxy.url, ca),
    stop: async () => {
      for (const server of servers) await server.stop()
    },
  }
}

/** Not started yet. */
export function proxyFor(emulators: readonly Emulator[]): InterceptingProxy {
  return new InterceptingProxy(
    new Map(
      emulators.flatMap((emulator) => emulator.provider.hosts.map((host) => [host, () => emulator.port] as const)),
    ),
  )
}

function cardOf(emulators: ReadonlyMap<ProviderName, Emulator>, proxy: string, ca: string): unknown {
  const all = [...emulators]
  const tokens = all.map(([name, { auth, provider }]) => {
    const { accessToken, refreshToken } = auth.login()
    return [name, { accessToken, refreshToken, ...auth.client, ...provider.facts }] as const
  })
  const urls = all.map(([name, { url, provider }]) => [name, { url, ...provider.facts }] as const)
  return { ...Object.fromEntries(urls), proxy, ca, tokens: Object.fromEntries(tokens) }
}
