/** A seam for tests: tells of every statement that writes, before and after, so that a test can fail or stop the journal there. */
import type { Connection } from './connection.ts'

/** @param name verb and table (`INSERT delivery`), `COMMIT`, or a pragma's text. What it throws is thrown in the statement's place. */
export type StatementHook = (name: string, when: 'before' | 'after') => void

/** Puts `hook` around all that is prepared on `connection` from now on. Where this is not called, nothing costs anything. */
export function tellOfStatements(connection: Connection, hook: StatementHook): void {
  const told = <T>(name: string, work: () => T): T => {
    hook(name, 'before')
    const answer = work()
    hook(name, 'after')
    return answer
  }
  const prepare = connection.prepare.bind(connection)
  const transaction = connection.transaction.bind(connection)
  const pragma = connection.pragma.bind(connection)
  Object.assign(connection, {
    prepare(source: string): unknown {
      const statement = prepare(source)
      if (statement.readonly) return statement
      const name = nameOf(source)
      const run = statement.run.bind(statement)
      const get = statement.reader ? statement.get.bind(statement) : undefined
      return Object.assign(statement, {
        run: (...values: unknown[]) => told(name, () => run(...values)),
        ...(get === undefined ? {} : { get: (...values: unknown[]) => told(name, () => get(...values)) }),
      })
    },
    transaction(work: (...values: unknown[]) => unknown): unknown {
      const inside = transaction((...values: unknown[]) => {
        const answer = work(...values)
        hook('COMMIT', 'before')
        return answer
      })
      const outside =
        (variant: (...values: unknown[]) => unknown) =>
        (...values: unknown[]): unknown => {
          const answer = variant(...values)
          hook('COMMIT', 'after')
          return answer
        }
      return Object.assign(outside(inside), { immediate: outside((...values) => inside.immediate(...values)) })
    },
    pragma: (text: string, options: { simple?: boolean } = {}): unknown => told(text, () => pragma(text, options)),
  })
}

function nameOf(source: string): string {
  const words = source
    .trim()
    .split(/\s+/)
    .filter((word) => !['INTO', 'FROM', 'OR', 'REPLACE'].includes(word))
  return words.slice(0, 2).join(' ')
}
