/** Stops one thread of another process, as a hang in a system call would, by ptrace(2); the rest of the process goes on. */
import { readdirSync, readFileSync } from 'node:fs'
import koffi from 'koffi'
import { onTestFinished } from 'vitest'

const libc = koffi.load(null)
const ptrace = libc.func('long ptrace(long request, int pid, intptr_t address, intptr_t data)')
const wait = libc.func('int waitpid(int pid, _Out_ int *status, int options)')
const seize = 0x4206
const interrupt = 0x4207
const detach = 17
const anyThread = 0x40000000
const noHang = 1

/** @param thread a thread's id; that of the main thread is the process's. Answers what lets it go on. */
export function stopThread(thread: number): () => void {
  if (Number(ptrace(seize, thread, 0, 0)) !== 0) throw new Error(`cannot seize thread ${thread}`)
  ptrace(interrupt, thread, 0, 0)
  wait(thread, [0], anyThread)
  let isStopped = true
  const goOn = (): void => {
    // One that was killed meanwhile stays a zombie until whoever stopped it has heard of its end.
    if (isStopped && Number(ptrace(detach, thread, 0, 0)) !== 0) wait(thread, [0], anyThread | noHang)
    isStopped = false
  }
  onTestFinished(goOn)
  return goOn
}

/** Numbers of poll(2) by machine, as /proc shows them. */
const pollCalls: Readonly<Record<string, string>> = { x64: '7', arm64: '73' }

/** The watch thread: the only one that waits in poll(2). */
export function watchThreadOf(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`).map(Number)
  const found = tasks.find((task) => callOf(pid, task) === pollCalls[process.arch])
  if (found === undefined) throw new Error(`process ${pid} has no thread in poll(2)`)
  return found
}

function callOf(pid: number, task: number): string | undefined {
  return readFileSync(`/proc/${pid}/task/${task}/syscall`, 'latin1').split(' ')[0]
}
