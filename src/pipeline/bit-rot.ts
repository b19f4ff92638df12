/**
 * Bit rot: a file of which the content is not what was digested of it before, while size, times and inode say that nobody wrote to it (F48).
 * Finds it, and says what its owner can do; that it is never sent over a good copy is the attempt's doing.
 */
import { asError, FanfoldError, type Action } from '../base/errors.ts'
import { showPath } from '../base/path.ts'
import type { Content } from '../digest/digest.ts'
import type { Delivery, Journal } from '../journal/journal.ts'
import { TargetError } from '../target/target.ts'

export class BitRotSuspected extends FanfoldError {
  readonly action: Action = 'ask-owner'
}

/** @throws BitRotSuspected where this very version of the file had another content before. */
export function refuseRot(
  delivery: Delivery,
  { sha256 }: Pick<Content, 'sha256'>,
  journal: Pick<Journal, 'receiptsOf'>,
): void {
  const { digest, path, fileId, source } = delivery
  if (digest === undefined || digest.sha256 === sha256) return
  const good = [...journal.receiptsOf(fileId)].flatMap(([name, receipt]) =>
    receipt.sha256 === digest.sha256 ? [name] : [],
  )
  const file = showPath(path)
  const from =
    good.length === 0
      ? 'no target has it as it was'
      : `${good.join(', ')}: as it was; "fanfold restore best ${file} --source ${source} --to DIR" brings that back`
  throw new BitRotSuspected(
    `${file} has another content than before, while its size and times are the same: its disk may have damaged it. It is not sent. ` +
      `${from}; if it is right as it is now, "touch" it (sha256 was ${digest.sha256}, is ${sha256})`,
  )
}

/**
 * What is behind an error: a target that proves bytes against a digest of an earlier attempt says only that they are not those.
 * @param read the content as it is now. @returns the error, or the better one.
 */
export async function rotBehind(
  error: Error,
  delivery: Delivery,
  journal: Pick<Journal, 'receiptsOf'>,
  read: () => Promise<Content>,
): Promise<Error> {
  const isDoubted = error instanceof TargetError && error.next.kind === 'source-changed'
  if (!isDoubted || delivery.digest === undefined) return error
  try {
    refuseRot(delivery, await read(), journal)
    return error
  } catch (thrown) {
    return asError(thrown)
  }
}
