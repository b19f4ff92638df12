/** Where a command prints: lines for people, and what the screen can do. The only place that looks at the terminal and its variables. */

export type Tone = 'plain' | 'bold' | 'dim' | 'good' | 'warn' | 'bad' | 'accent'

export interface Terminal {
  /** Whether what is printed can be drawn over again. */
  readonly isLive: boolean
  readonly hasColour: boolean
  columns(): number
  rows(): number
  /** Writes to standard output as is. */
  write(text: string): void
  /** One line to standard output. */
  print(line: string): void
  /** One line to standard error: remarks that are no part of the answer. */
  remark(line: string): void
  /** Answers what ends the listening. */
  onResize(listener: () => void): () => void
}

/** Where nobody tells how wide the screen is. */
const columnsDefault = 80
const rowsDefault = 24

export function systemTerminal(environment: NodeJS.ProcessEnv = process.env): Terminal {
  const out = process.stdout
  const isScreen = out.isTTY && environment['TERM'] !== 'dumb'
  return {
    isLive: isScreen,
    hasColour: wantsColour(environment, isScreen),
    columns: () => positive(out.columns) ?? positive(Number(environment['COLUMNS'])) ?? columnsDefault,
    rows: () => positive(out.rows) ?? rowsDefault,
    write: (text) => void out.write(text),
    print: (line) => void out.write(`${line}\n`),
    remark: (line) => void process.stderr.write(`${line}\n`),
    onResize(listener) {
      out.on('resize', listener)
      return () => void out.off('resize', listener)
    },
  }
}

/** A new pseudo-terminal may say it has 0 columns. */
function positive(count: number | undefined): number | undefined {
  return count !== undefined && count > 0 ? count : undefined
}

/** FORCE_COLOR wins over NO_COLOR, as in Node itself; see no-color.org and force-color.org. */
export function wantsColour(environment: NodeJS.ProcessEnv, isScreen: boolean): boolean {
  const forced = environment['FORCE_COLOR']
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false'
  const refused = environment['NO_COLOR']
  if (refused !== undefined && refused !== '') return false
  return isScreen
}

const codes: Readonly<Record<Tone, string>> = {
  plain: '',
  bold: '1',
  dim: '2',
  good: '32',
  warn: '33',
  bad: '31',
  accent: '36',
}

export function paint(text: string, tone: Tone, hasColour: boolean): string {
  return hasColour && codes[tone] !== '' && text !== '' ? `\u001b[${codes[tone]}m${text}\u001b[0m` : text
}
