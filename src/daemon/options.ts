/** What one daemon is given by whoever starts it. */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'

export interface DaemonOptions {
  /** Opens the log of a room. */
  readonly log: (room: string) => Log
  readonly clock: Clock
  readonly random: Random
  /** Where the service manager is found: its variables (NOTIFY_SOCKET, WATCHDOG_USEC). Without them nobody is told. */
  readonly environment?: NodeJS.ProcessEnv
}
