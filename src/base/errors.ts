/** Errors that know what happens next. Where a failure is understood, its action is chosen; nobody upstream looks at codes. */

/** What the one who catches it should do: try again soon, wait for something outside, ask the owner, or stop trying. */
export type Action = 'retry' | 'wait' | 'ask-owner' | 'give-up'

/** Base of all errors that Fanfold raises on purpose. Message: what, where, expected, got, next step. */
export abstract class FanfoldError extends Error {
  abstract readonly action: Action

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = new.target.name
  }
}

/** The owner has to change something before this can work; the message says what. */
export class OwnerError extends FanfoldError {
  readonly action = 'ask-owner'
}

/** A rule of the program itself is broken: the daemon stops and is started again, the journal resumes. */
export class BrokenInvariant extends FanfoldError {
  readonly action = 'give-up'
}

export function assert(claim: boolean, message: string): asserts claim {
  if (!claim) throw new BrokenInvariant(message)
}

/** Closes a switch over a union: compiles only when every case was handled. */
export function unreachable(value: never): never {
  throw new BrokenInvariant(`unhandled case: ${JSON.stringify(value)}`)
}

/** Whatever was thrown, as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

/** The errno name (`ENOENT`) of a failed system call, or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined
  return typeof thrown.code === 'string' ? thrown.code : undefined
}
