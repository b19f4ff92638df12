/** Why a file could not be digested, for its caller to decide on. */
import { type Action, asError, FanfoldError } from '../base/errors.ts'

/** The file is not the one that was asked for any more, before or while it was read; the source will say what is true now. */
export class ContentChanged extends FanfoldError {
  readonly action: Action = 'give-up'
}

/** There is no regular file at the path any more. */
export class ContentGone extends FanfoldError {
  readonly action: Action = 'give-up'
}

/** The file is there and does not let itself be read. */
export class ContentUnreadable extends FanfoldError {
  readonly action: Action
  /** Name of the system's error: `EACCES`, `EIO`. */
  readonly errno: string

  constructor(message: string, errno: string, options?: { cause?: unknown }) {
    super(message, options)
    this.errno = errno
    this.action = isRefusal(errno) ? 'ask-owner' : 'retry'
  }
}

/** The thread that read the file is gone; another one takes its place, and nothing is wrong with the file as far as anybody knows. */
export class DigestThreadLost extends FanfoldError {
  readonly action: Action = 'retry'

  constructor(cause: unknown) {
    super(`the digest thread was lost while it read (${asError(cause).message}); the file is read again`, { cause })
  }
}

/** How a digest thread failed: of the three words above. */
export type ContentFailure =
  { readonly kind: 'changed' } | { readonly kind: 'gone' } | { readonly kind: 'unreadable'; readonly errno: string }

export function contentError(failure: ContentFailure, shownPath: string): FanfoldError {
  switch (failure.kind) {
    case 'changed':
      return new ContentChanged(`${shownPath} changed since it was seen; it is read again when it has settled`)
    case 'gone':
      return new ContentGone(`there is no regular file at ${shownPath} any more`)
    case 'unreadable':
      return new ContentUnreadable(
        `${shownPath} cannot be read (${failure.errno}): ${nextStep(failure.errno)}`,
        failure.errno,
      )
  }
}

function isRefusal(errno: string): boolean {
  return errno === 'EACCES' || errno === 'EPERM'
}

function nextStep(errno: string): string {
  if (isRefusal(errno)) return 'allow the daemon’s user to read it, then run "fanfold retry"'
  if (errno === 'EIO') return 'the disk reports a fault; look at it with dmesg and smartctl'
  return 'it is tried again'
}
