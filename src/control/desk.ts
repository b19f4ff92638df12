/** What can be asked of a running daemon, and the answers' shapes. The daemon implements Desk; the HTTP server and its client only carry it. */
import type { Readable } from 'node:stream'
import { OwnerError } from '../base/errors.ts'
import type { CopyAt, Restorable, Wish } from '../restore/restore.ts'
import type { VerifyDesk } from './verify.ts'
import type {
  Status,
  ResyncRequest,
  PathVerdict,
  ParkedLine,
  HistoryLine,
  Resynced,
  Retried,
  Held,
  Approved,
  Reloaded,
  Plan,
  LoginAsked,
  LoginBegun,
  LoginProgress,
  LoginChecked,
  LoggedOut,
} from './answers.ts'

export type * from './answers.ts'

/** The question itself cannot be answered: a name that does not exist, a glob that is broken. Says what exists. */
export class AskError extends OwnerError {}

/** Logging in and out. Answers carry no token; the code of an answer is worth nothing without what the daemon keeps to itself. */
export interface LoginDesk {
  login(asked: LoginAsked, signal: AbortSignal): Promise<LoginBegun>
  /** @param text the address the browser was sent to, a code that was copied, or nothing */
  answerLogin(ticket: string, text: string, signal: AbortSignal): Promise<LoginProgress>
  /** Proves a login by a call to the cloud. @throws OwnerError where it is none, with the next step */
  checkLogin(account: string, signal: AbortSignal): Promise<LoginChecked>
  logout(account: string, signal: AbortSignal): Promise<LoggedOut>
}

/** Getting files back: what there is, and the content of each copy. Who asks writes the files. */
export interface RestoreDesk {
  /** @throws AskError for names that do not exist, TargetError where a target that has to be listed cannot be. */
  restorable(wish: Wish, signal: AbortSignal): AsyncIterable<Restorable>
  /** Content of a copy, as `restorable` told of it, from byte `start` on. */
  readCopy(copy: CopyAt, start: number, signal: AbortSignal): Promise<Readable>
}

/** Everything an operator may ask. Names that do not exist answer with an AskError that lists the known ones. */
export interface Desk extends LoginDesk, RestoreDesk, VerifyDesk {
  status(): Status
  /** Sets cursors back. Answers how many files will be offered again, per target. */
  resync(request: ResyncRequest): Resynced
  /** Parked and postponed deliveries are due again, paused targets are probed now. Answers how many deliveries. */
  retry(targets: readonly string[]): Retried
  /** @param path absolute, or below a source. */
  why(path: string): readonly PathVerdict[]
  history(path: string | null, limit: number): readonly HistoryLine[]
  /** What is parked at a target, oldest first. */
  parked(target: string, limit: number): readonly ParkedLine[]
  /** Stops targets until they are resumed, over restarts; what is under way finishes. */
  hold(targets: readonly string[]): Held
  resume(targets: readonly string[]): Held
  /** The named targets' places belong to this Fanfold from now on, whoever wrote there before (F81). @throws AskError where none is named. */
  takeOver(targets: readonly string[]): Held
  /** The removals of a source are meant: copies follow their files. */
  approve(source: string): Approved
  /** Takes over the configuration file as it stands now. @throws OwnerError with its problems; the one before stays in force. */
  reload(): Promise<Reloaded>
  /** What a reload would do. */
  plan(signal: AbortSignal): Promise<Plan>
}
