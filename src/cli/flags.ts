/** Flags that several commands share, and the configuration they lead to. */
import type { Config } from '../config/config.ts'

export interface ConfigFlags {
  readonly config?: string
}

export interface FactFlags extends ConfigFlags {
  readonly json?: boolean
}

/** @throws ConfigError */
export async function configOf(flags: ConfigFlags): Promise<Config> {
  const { findConfig, readConfig } = await import('../config/config.ts')
  return readConfig(findConfig(flags.config, process.env))
}
