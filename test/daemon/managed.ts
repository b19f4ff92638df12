/** A built daemon under a service manager. */
import { startDaemon, type Bench, type RunningDaemon } from '../e2e/rig.ts'
import type { NotifySocket } from './notify-socket.ts'

const isReady = (message: string): boolean => message.startsWith('READY=1\n')
export const isAlive = (message: string): boolean => message === 'WATCHDOG=1'
export const isExtend = (message: string): boolean => message.startsWith('EXTEND_TIMEOUT_USEC=')

export async function startManaged(
  manager: NotifySocket,
  bench: Bench,
  environment: NodeJS.ProcessEnv = {},
): Promise<RunningDaemon> {
  const daemon = await startDaemon(bench, { NOTIFY_SOCKET: manager.name, ...environment })
  await manager.until((heard) => heard.some(isReady))
  return daemon
}

/** Signs of life heard within `ms` from now. */
export async function aliveWithin(manager: NotifySocket, ms: number): Promise<number> {
  const before = manager.heard.length
  await new Promise((resolve) => setTimeout(resolve, ms))
  return manager.heard.slice(before).filter(isAlive).length
}
