/** Waiting that an AbortSignal can cut short. */
import { setMaxListeners } from 'node:events'
import { abortReason } from './clock.ts'

/** Calls `listener` when the signal is aborted, at once if it is already. Answers the function that stops listening. */
export function onAbort(signal: AbortSignal, listener: (reason: Error) => void): () => void {
  const heard = (): void => listener(abortReason(signal))
  if (signal.aborted) {
    heard()
    return () => undefined
  }
  // One signal stops a whole lane: that many wait on it is no leak, of which Node would warn from the eleventh on.
  setMaxListeners(0, signal)
  signal.addEventListener('abort', heard, { once: true })
  return () => signal.removeEventListener('abort', heard)
}

/** The answer, or the signal's reason as soon as it is aborted. What the answer becomes after that is nobody's concern. */
export function orAbort<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const stopListening = onAbort(signal, reject)
    answer.then(resolve, reject).finally(stopListening)
  })
}

/** Runs `work`. Whatever broke when the caller had enough, it broke because of that. */
export async function abortFirst<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    signal.throwIfAborted()
    return await work()
  } catch (thrown) {
    throw signal.aborted ? abortReason(signal) : thrown
  }
}
