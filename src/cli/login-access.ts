/** How a command reaches the logins: through the running daemon where one runs, else in this process. */
import { systemClock } from '../base/clock.ts'
import { silentLog, type Log } from '../base/log.ts'
import type { Config } from '../config/config.ts'
import type { LoginDesk } from '../control/control.ts'
import type { Logins } from '../daemon/logins.ts'
import { byDaemonElse } from './desk-access.ts'
import { harmless } from './spans.ts'
import { systemTerminal } from './terminal.ts'

/** What a daemon would write into its log, for a person: troubles only. */
const remarks: Log = {
  ...silentLog,
  warn: (event, fields) => systemTerminal().remark(harmless(`fanfold: ${event}: ${String(fields?.['reason'] ?? '')}`)),
}

/** The running daemon's logins, or where none runs, this process's own: a lock on each login keeps two processes apart. */
export function withLogins<T>(config: Config, signal: AbortSignal, work: (desk: LoginDesk) => Promise<T>): Promise<T> {
  return byDaemonElse(config, signal, work, () => withOwnLogins(config, work))
}

/** This process's own, whatever runs. */
export async function withOwnLogins<T>(config: Config, work: (logins: Logins) => Promise<T>): Promise<T> {
  const { Logins } = await import('../daemon/logins.ts')
  const logins = new Logins(config, { clock: systemClock, log: () => remarks, environment: process.env })
  try {
    return await work(logins)
  } finally {
    await logins.close()
  }
}
