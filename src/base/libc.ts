/** The few system calls that Node does not offer, bound with koffi. Calls are synchronous; only threads made for it may block in them. */
import koffi from 'koffi'

const libc = koffi.load(null)

const errnoNames = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]))

/** The last call's failure as an Error in the form Node gives its own. */
export function lastError(call: string): Error & { code: string } {
  const code = errnoNames.get(koffi.errno()) ?? `errno ${koffi.errno()}`
  return Object.assign(new Error(`${code}: ${call}`), { code, syscall: call })
}

const flockCall = libc.func('int flock(int fd, int operation)')
const lockExclusive = 2
const lockNonBlocking = 4

/** Takes the whole-file lock of `fd` if nobody has it. It ends with the process, however that ends. */
export function tryLock(fd: number): boolean {
  return flockCall(fd, lockExclusive | lockNonBlocking) === 0
}
