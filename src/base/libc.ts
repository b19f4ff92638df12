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

/** UTIME_OMIT: this time stays as it is. Source: utimensat(2). */
const utimeOmit = 0x3ffffffen
const nanosecondsPerSecond = 1_000_000_000n
const futimensCall = libc.func('int futimens(int fd, const int64_t *times)')

/**
 * Sets the modification time to the nanosecond; Node's own futimes takes seconds as a double and loses the last digits.
 * The two `struct timespec` are four 64-bit numbers on every machine Node 20 supports.
 */
export function setMtimeNs(fd: number, mtimeNs: bigint): void {
  const nanoseconds = ((mtimeNs % nanosecondsPerSecond) + nanosecondsPerSecond) % nanosecondsPerSecond
  const seconds = (mtimeNs - nanoseconds) / nanosecondsPerSecond
  const times = BigInt64Array.of(0n, utimeOmit, seconds, nanoseconds)
  if (futimensCall(fd, times) !== 0) throw lastError('futimens')
}

const syncFileRangeCall = optionalCall('int sync_file_range(int fd, int64_t offset, int64_t bytes, unsigned int flags)')
const syncFileRangeWrite = 2

/** Has the kernel begin to write what is dirty of `fd`, and does not wait: a hint that makes a later fsync short. */
export function startWriteBack(fd: number): void {
  // Where it is missing or refused (some network file systems), the fsync that follows does all the work.
  syncFileRangeCall?.(fd, 0, 0, syncFileRangeWrite)
}

function optionalCall(prototype: string): ReturnType<typeof libc.func> | undefined {
  try {
    return libc.func(prototype)
  } catch {
    // Not every C library has it; the caller does without.
    return undefined
  }
}
