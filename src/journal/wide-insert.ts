/** Inserts many rows with few statements: a call into SQLite costs as much as a small row. */
import type { Connection } from './connection.ts'
import type { NameCell } from './rows.ts'

export type Cell = NameCell | number | bigint | null

/** Rows in one statement. With twelve columns this stays far below SQLite's bound of 32,766 parameters; more gains nothing. */
const rowsWide = 32

export class WideInsert {
  readonly #columns: number
  readonly #wide
  readonly #single

  /** @param head `INSERT INTO t (…) VALUES`. @param row one row's parameters and constants, `(?, 'waiting', ?)`. */
  constructor(connection: Connection, head: string, row: string) {
    this.#columns = row.split('?').length - 1
    this.#wide = connection.prepare<[readonly Cell[]]>(
      `${head} ${Array.from({ length: rowsWide }, () => row).join(', ')}`,
    )
    this.#single = connection.prepare<[readonly Cell[]]>(`${head} ${row}`)
  }

  /** @param cells of all rows, one row behind the other. */
  run(cells: readonly Cell[]): void {
    const wideCells = rowsWide * this.#columns
    let at = 0
    for (; at + wideCells <= cells.length; at += wideCells) this.#wide.run(cells.slice(at, at + wideCells))
    for (; at < cells.length; at += this.#columns) this.#single.run(cells.slice(at, at + this.#columns))
  }
}
