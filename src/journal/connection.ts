/** What the journal's statements run on, by its types alone: opening it is the concern of open.ts. */
import type Database from 'better-sqlite3'

export type Connection = Database.Database
export type Statement<Given extends unknown[]> = Database.Statement<Given>
