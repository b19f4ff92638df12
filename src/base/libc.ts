/** The few system calls that Node does not offer, bound with koffi. Calls are synchronous; only threads made for it may block in them. */
import { getSystemErrorName } from 'node:util'
import koffi from 'koffi'
import type { FsPath } from './path.ts'

const libc = koffi.load(null)

/** The last call's failure as an Error in the form Node gives its own. */
export function lastError(call: string): Error & { code: string } {
  const code = getSystemErrorName(-koffi.errno())
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

const statxCall = optionalCall(
  'int statx(int folder, const uint8_t *name, int flags, unsigned int mask, _Out_ uint8_t *to)',
)
/** AT_SYMLINK_NOFOLLOW and STATX_BASIC_STATS. */
const statxNoFollow = 0x100
const statxBasic = 0x7ff
/** Length of `struct statx`, which is the same on every machine. Source: statx(2). */
export const statxBytes = 256

/** `struct statx` of an entry of the open folder, links not followed. @param name ended by a zero byte. @returns false where it cannot be had. */
export function statxAt(folder: number, name: Uint8Array, to: Uint8Array): boolean {
  return statxCall !== undefined && whole(statxCall(folder, name, statxNoFollow, statxBasic, to)) === 0
}

/** koffi types every call as any; all calls below answer with a C int or ssize_t. */
function whole(result: unknown): number {
  return Number(result)
}

/** As node:fs takes paths, but ended by the zero byte that C wants. */
function cPath(path: FsPath): Buffer {
  return Buffer.concat([typeof path === 'string' ? Buffer.from(path, 'utf8') : path, Buffer.of(0)])
}

const getAttributeCall = libc.func('intptr_t fgetxattr(int fd, const char *name, _Out_ uint8_t *to, size_t count)')
const setAttributeCall = libc.func(
  'int fsetxattr(int fd, const char *name, const uint8_t *from, size_t count, int flags)',
)

/** An extended attribute of what is open as `fd`; undefined where there is none. @throws ENOTSUP where the file system keeps none, ERANGE above `bytesMax`. */
export function readAttribute(fd: number, name: string, bytesMax: number): Buffer | undefined {
  const to = Buffer.alloc(bytesMax)
  const bytes = whole(getAttributeCall(fd, name, to, bytesMax))
  if (bytes >= 0) return to.subarray(0, bytes)
  const error = lastError('fgetxattr')
  if (error.code === 'ENODATA') return undefined
  throw error
}

/** Sets an extended attribute. @throws ENOTSUP where the file system keeps none. */
export function writeAttribute(fd: number, name: string, value: Uint8Array): void {
  if (whole(setAttributeCall(fd, name, value, value.length, 0)) !== 0) throw lastError('fsetxattr')
}

const setLimitCall = libc.func('int setrlimit(int resource, const uint8_t *limit)')
/** Source: getrlimit(2), Linux. */
const coreLimit = 4

/** From now on this process leaves no picture of its memory behind, whatever ends it: secrets are in it. */
export function forbidCoreDumps(): void {
  // Lowering a limit is always allowed.
  setLimitCall(coreLimit, Buffer.alloc(16))
}

const inotifyInitCall = libc.func('int inotify_init1(int flags)')
const inotifyAddCall = libc.func('int inotify_add_watch(int fd, const uint8_t *path, uint32_t mask)')
const inotifyRemoveCall = libc.func('int inotify_rm_watch(int fd, int wd)')
const eventfdCall = libc.func('int eventfd(unsigned int start, int flags)')
const readCall = libc.func('intptr_t read(int fd, _Out_ uint8_t *to, size_t count)')
const writeCall = libc.func('intptr_t write(int fd, const uint8_t *from, size_t count)')
const closeCall = libc.func('int close(int fd)')
const pollCall = libc.func('int poll(_Inout_ uint8_t *fds, unsigned long count, int timeoutMs)')

/** O_NONBLOCK | O_CLOEXEC, which IN_* and EFD_* repeat with the same values. */
const nonBlockingCloseOnExec = 0o4000 | 0o2000000
const pollIn = 1
const pollEntryBytes = 8

/** A new inotify instance. @throws EMFILE at fs.inotify.max_user_instances. Source: inotify(7). */
export function openInotify(): number {
  const fd = whole(inotifyInitCall(nonBlockingCloseOnExec))
  if (fd < 0) throw lastError('inotify_init1')
  return fd
}

/** Watch descriptor of the folder; the same one again for a folder already watched. @throws ENOSPC at max_user_watches. */
export function addWatch(inotify: number, path: FsPath, mask: number): number {
  const wd = whole(inotifyAddCall(inotify, cPath(path), mask))
  if (wd < 0) throw lastError('inotify_add_watch')
  return wd
}

/** Ends a watch. One that the kernel has ended already is no failure. */
export function removeWatch(inotify: number, wd: number): void {
  inotifyRemoveCall(inotify, wd)
}

/** A counter that another thread waits for in `waitReadable`. */
export function openWakeup(): number {
  const fd = whole(eventfdCall(0, nonBlockingCloseOnExec))
  if (fd < 0) throw lastError('eventfd')
  return fd
}

const one = Buffer.from(new BigUint64Array([1n]).buffer)
const counter = Buffer.alloc(8)

/** Wakes whoever waits for `wakeup`. A full counter refuses the write, but then the other side is awake anyway. */
export function wake(wakeup: number): void {
  writeCall(wakeup, one, one.length)
}

/** Sets the counter back, so that the next wait blocks again. */
export function clearWakeup(wakeup: number): void {
  readCall(wakeup, counter, counter.length)
}

/** Reads what is there into `to`: bytes read, 0 when nothing waits. */
export function readReady(fd: number, to: Buffer): number {
  const bytes = whole(readCall(fd, to, to.length))
  if (bytes >= 0) return bytes
  const error = lastError('read')
  if (error.code === 'EAGAIN' || error.code === 'EINTR') return 0
  throw error
}

export function closeFd(fd: number): void {
  closeCall(fd)
}

/** Blocks until one of `fds` is readable or the time is over; answers which are. */
export function waitReadable(fds: readonly number[], timeoutMs: number): readonly boolean[] {
  const entries = Buffer.alloc(fds.length * pollEntryBytes)
  fds.forEach((fd, index) => {
    entries.writeInt32LE(fd, index * pollEntryBytes)
    entries.writeInt16LE(pollIn, index * pollEntryBytes + 4)
  })
  const ready = whole(pollCall(entries, fds.length, timeoutMs))
  if (ready < 0) {
    const error = lastError('poll')
    if (error.code !== 'EINTR') throw error
    return fds.map(() => false)
  }
  return fds.map((_, index) => entries.readInt16LE(index * pollEntryBytes + 6) !== 0)
}

const socketCall = libc.func('int socket(int family, int type, int protocol)')
const sendToCall = libc.func(
  'intptr_t sendto(int fd, const uint8_t *from, size_t count, int flags, const uint8_t *address, unsigned int addressBytes)',
)
const addressFamilyUnix = 1
const socketDatagram = 2
const sendDontWaitNoSignal = 0x40 | 0x4000

/** A Unix datagram socket that is bound to nothing, which Node cannot make. */
export function openDatagramSocket(): number {
  const fd = whole(socketCall(addressFamilyUnix, socketDatagram | nonBlockingCloseOnExec, 0))
  if (fd < 0) throw lastError('socket')
  return fd
}

/** Sends one datagram and does not wait. @param address bytes of sun_path: a path, or a zero byte and an abstract name. Source: unix(7). */
export function sendDatagram(fd: number, datagram: Uint8Array, address: Uint8Array): void {
  const family = Buffer.from(Uint16Array.of(addressFamilyUnix).buffer)
  const to = Buffer.concat([family, address])
  const sent = whole(sendToCall(fd, datagram, datagram.length, sendDontWaitNoSignal, to, to.length))
  if (sent < 0) throw lastError('sendto')
}

const adjtimexCall = libc.func('int adjtimex(_Inout_ uint8_t *timex)')
/** Larger than `struct timex` on every machine; all zero it only asks. */
const timexBytes = 256
const clockStateError = 5

/** Whether the kernel believes its clock to be synchronised with another one. Source: adjtimex(2). */
export function isClockSynchronised(): boolean {
  return whole(adjtimexCall(Buffer.alloc(timexBytes))) !== clockStateError
}
