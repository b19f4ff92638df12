/** The configuration file, found, read and checked: YAML in, Config out, or every problem at once with its place. */
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { asError, errnoOf } from '../base/errors.ts'
import { parseConfig } from './parse.ts'
import { ConfigError } from './problems.ts'
import type { Config } from './settings.ts'

export { parseConfig } from './parse.ts'
export { ConfigError } from './problems.ts'
export { fileJsonSchema } from './schema.ts'
export { directoriesOf } from './settings.ts'
export type { Access, AccountConfig, CloudConfig, CloudKind, Config, DirectoryConfig } from './settings.ts'
export type { HttpConfig, NotifyConfig, Pace, PageAddress, Recipient, Select, ServiceConfig } from './settings.ts'
export type { SourceConfig, StatusConfig, TargetConfig, WebAddress } from './settings.ts'

/** A larger file is none that a person wrote, and would be held in memory several times over. */
const configBytesMax = 2 ** 20

export const defaultConfigFile = '/etc/fanfold/fanfold.yaml'

/** Which file is meant: the flag, else `$FANFOLD_CONFIG`, else the system's. Absolute. */
export function findConfig(flag: string | undefined, environment: NodeJS.ProcessEnv): string {
  const fromEnvironment = environment['FANFOLD_CONFIG']
  return resolve(
    flag ?? (fromEnvironment === undefined || fromEnvironment === '' ? defaultConfigFile : fromEnvironment),
  )
}

/** @throws ConfigError when the file cannot be read or used; nothing of it is applied then. */
export function readConfig(file: string): Config {
  const path = resolve(file)
  return parseConfig(path, decode(path, readBytes(path)))
}

/** What may surprise although it is allowed: folders that are not there. */
export function warningsOf(config: Config): string[] {
  return config.sources
    .filter((source) => !isFolder(source.path))
    .map((source) => `source "${source.name}": ${source.path} is no folder now; it is watched as soon as it appears`)
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    // Absent or out of reach: either way nothing can be watched there now.
    return false
  }
}

function readBytes(path: string): Buffer {
  try {
    const { size } = statSync(path)
    if (size > configBytesMax) throw problem(path, `expected at most ${configBytesMax} bytes, got ${size}`)
    return readFileSync(path)
  } catch (thrown) {
    if (thrown instanceof ConfigError) throw thrown
    if (errnoOf(thrown) === 'ENOENT')
      throw problem(path, 'there is no such file; name one with --config FILE or $FANFOLD_CONFIG', thrown)
    throw problem(path, `cannot be read: ${asError(thrown).message}`, thrown)
  }
}

function decode(path: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw problem(path, 'expected UTF-8, got other bytes; save the file as UTF-8', cause)
  }
}

function problem(file: string, message: string, cause?: unknown): ConfigError {
  return new ConfigError([{ file, line: 1, column: 1, key: '', message }], { cause })
}
