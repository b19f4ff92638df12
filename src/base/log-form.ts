/** The form of log lines on standard error: JSON lines, or for systemd's journal lines that carry their level. Writes nothing. */
import { fstatSync } from 'node:fs'

/** Fields with one meaning everywhere: source, path, target, attempt, ms, bytes, reason, error. */
export type Fields = Readonly<Record<string, string | number | boolean | null | undefined>>

export type Level = 'debug' | 'info' | 'warn' | 'error'

/** As syslog numbers them; the journal takes the prefix off and sorts by it. Source: sd-daemon(3). */
const priorities: Readonly<Record<Level, number>> = { debug: 7, info: 6, warn: 4, error: 3 }

export interface LogForm {
  readonly isJson: boolean
  /** Each line begins with its level. */
  readonly hasPrefix: boolean
}

/** FANFOLD_LOG says `json` or `text`; else what reads standard error decides: words for the journal, JSON for everybody else. */
export function logForm(environment: NodeJS.ProcessEnv, isRead = isJournal(environment['JOURNAL_STREAM'])): LogForm {
  const asked = environment['FANFOLD_LOG']
  return { isJson: asked === 'json' || (asked !== 'text' && !isRead), hasPrefix: isRead }
}

/** JOURNAL_STREAM names device and inode of the journal's stream; it is inherited also where standard error leads elsewhere. */
function isJournal(stream: string | undefined): boolean {
  if (stream === undefined || stream === '') return false
  try {
    const { dev, ino } = fstatSync(2, { bigint: true })
    return stream === `${dev}:${ino}`
  } catch {
    // Standard error is closed: nobody reads it.
    return false
  }
}

export function prefixOf(level: Level, { hasPrefix }: LogForm): string {
  return hasPrefix ? `<${priorities[level]}>` : ''
}

/** `room: event name=value …` in one line, whatever is in the values. */
export function textLine(room: string, event: string, fields: Fields = {}): string {
  const facts = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [` ${name}=${plainOrQuoted(String(value))}`],
  )
  return `${room}: ${event}${facts.join('')}`
}

/** Quoted where a reader could not tell its end; control characters are escaped, so that no value begins a line of its own. */
function plainOrQuoted(text: string): string {
  return /^[^\s"=\u0000-\u001f\u007f]+$/.test(text) ? text : JSON.stringify(text)
}
