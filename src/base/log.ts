/** Log lines with fixed names and fields. Knows no room; `FANFOLD_DEBUG=stage,target` opens rooms' debug lines. */
import { destination, pino, type DestinationStream } from 'pino'

/** Fields with one meaning everywhere: source, path, target, attempt, ms, bytes, reason, error. */
export type Fields = Readonly<Record<string, string | number | boolean | null | undefined>>

export interface Log {
  /** Somebody reads the debug lines: only then is it worth making many of them. */
  readonly hasDebug: boolean
  debug(event: string, fields?: Fields): void
  info(event: string, fields?: Fields): void
  warn(event: string, fields?: Fields): void
  error(event: string, fields?: Fields): void
}

export const silentLog: Log = { hasDebug: false, debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** Opens the log of one room, as JSON lines to `to`. `debugRooms` is the value of FANFOLD_DEBUG. */
export function openLog(room: string, to: DestinationStream, debugRooms = ''): Log {
  const isOpen = debugRooms.split(',').some((word) => word === room || word === '*')
  const lines = pino({ level: isOpen ? 'debug' : 'info', base: { room }, timestamp: pino.stdTimeFunctions.isoTime }, to)
  return {
    hasDebug: isOpen,
    debug: (event, fields) => lines.debug(fields ?? {}, event),
    info: (event, fields) => lines.info(fields ?? {}, event),
    warn: (event, fields) => lines.warn(fields ?? {}, event),
    error: (event, fields) => lines.error(fields ?? {}, event),
  }
}

/** Log lines on standard error, each written before the call returns, so that the last words of a dying process are not lost. */
export function standardErrorLines(): DestinationStream {
  return destination({ dest: 2, sync: true })
}
