/** Worker threads that this process starts while a test runs, so that it can kill one as a crash would. */
import type { Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'

/** Every thread started from now on, oldest first. */
export function startedThreads(): readonly Worker[] {
  const workers: Worker[] = []
  const note = (worker: Worker): void => void workers.push(worker)
  process.on('worker', note)
  onTestFinished(() => void process.off('worker', note))
  return workers
}
