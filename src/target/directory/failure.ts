/** How the directory thread says what failed: on which side, and the system's word or one of its own. Judging it is `errors.ts`. */
import { errnoOf } from '../../base/errors.ts'
import { showPath } from '../../base/path.ts'

/** `root`: the target's folder itself; `object`: a file or folder below it; `source`: the file being copied. */
export type Side = 'root' | 'object' | 'source'

/** `code` is `side:word`, since a thread's error keeps nothing but its code and message. The message says what was found, without advice. */
export class Failure extends Error {
  readonly code: string
  constructor(side: Side, word: string, detail: string, options?: { cause?: unknown }) {
    super(detail, options)
    this.code = `${side}:${word}`
  }
}

/** Runs one step; a system call that fails in it becomes a Failure of that side. */
export function during<T>(side: Side, path: string, step: () => T): T {
  try {
    return step()
  } catch (thrown) {
    throw asFailure(side, path, thrown)
  }
}

export function asFailure(side: Side, path: string, thrown: unknown): unknown {
  const errno = errnoOf(thrown)
  if (thrown instanceof Failure || errno === undefined) return thrown
  return new Failure(side, errno, `${showPath(path)}: ${systemWords(thrown, errno)}`, { cause: thrown })
}

/** `no space left on device, write`: Node's text without the code before and the path behind, which may be one below /proc. */
function systemWords(thrown: unknown, errno: string): string {
  const message = thrown instanceof Error ? thrown.message : ''
  return message.replace(`${errno}: `, '').replace(/ '.*$/s, '')
}
