/** Log lines with fixed names and fields. Knows no room; `FANFOLD_DEBUG=stage,target` opens rooms' debug lines. */
import { destination, pino, type DestinationStream } from 'pino'
import { prefixOf, textLine, type Fields, type Level, type LogForm } from './log-form.ts'

export type { Fields } from './log-form.ts'

export interface Log {
  /** Somebody reads the debug lines: only then is it worth making many of them. */
  readonly hasDebug: boolean
  debug(event: string, fields?: Fields): void
  info(event: string, fields?: Fields): void
  warn(event: string, fields?: Fields): void
  error(event: string, fields?: Fields): void
}

export const silentLog: Log = { hasDebug: false, debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** Opens the log of one room. `debugRooms` is the value of FANFOLD_DEBUG. */
export function openLog(room: string, to: DestinationStream, debugRooms = '', form = jsonLines): Log {
  const isOpen = debugRooms.split(',').some((word) => word === room || word === '*')
  return form.isJson ? jsonLog(room, to, isOpen, form) : textLog(room, to, isOpen, form)
}

const jsonLines: LogForm = { isJson: true, hasPrefix: false }

function jsonLog(room: string, to: DestinationStream, isOpen: boolean, form: LogForm): Log {
  const level = isOpen ? 'debug' : 'info'
  const at = (each: Level): ((event: string, fields?: Fields) => void) => {
    const prefix = prefixOf(each, form)
    const prefixed = prefix === '' ? to : { write: (line: string) => to.write(prefix + line) }
    const lines = pino({ level, base: { room }, timestamp: pino.stdTimeFunctions.isoTime }, prefixed)
    return (event, fields) => lines[each](fields ?? {}, event)
  }
  return { hasDebug: isOpen, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function textLog(room: string, to: DestinationStream, isOpen: boolean, form: LogForm): Log {
  const at =
    (level: Level) =>
    (event: string, fields?: Fields): void =>
      to.write(`${prefixOf(level, form)}${textLine(room, event, fields)}\n`)
  const debug = isOpen ? at('debug') : (): void => {}
  return { hasDebug: isOpen, debug, info: at('info'), warn: at('warn'), error: at('error') }
}

/** Log lines on standard error, each written before the call returns, so that the last words of a dying process are not lost. */
export function standardErrorLines(): DestinationStream {
  return destination({ dest: 2, sync: true })
}
