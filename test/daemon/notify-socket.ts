/** A service manager's end of sd_notify, made by the kernel: a Unix datagram socket, which Node cannot make, at a path or an abstract name. */
import koffi from 'koffi'
import { onTestFinished } from 'vitest'
import { randomName } from '../../src/base/random.ts'

const libc = koffi.load(null)
const socket = libc.func('int socket(int family, int type, int protocol)')
const bind = libc.func('int bind(int fd, const uint8_t *address, unsigned int bytes)')
const receive = libc.func('intptr_t recv(int fd, _Out_ uint8_t *to, size_t count, int flags)')
const close = libc.func('int close(int fd)')
const unix = 1
const datagramNonBlockingCloseOnExec = 2 | 0o4000 | 0o2000000
const messageBytesMax = 64 * 1024
const lookMs = 10

export interface NotifySocket {
  /** What NOTIFY_SOCKET says. */
  readonly name: string
  /** Every message so far, in order. */
  readonly heard: readonly string[]
  /** When each was heard, by performance.now(). */
  readonly heardMs: readonly number[]
  until(isThere: (heard: readonly string[]) => boolean, withinMs?: number): Promise<void>
}

export function aNotifySocket(name = `@fanfold-test-${randomName(8)}`): NotifySocket {
  const fd = Number(socket(unix, datagramNonBlockingCloseOnExec, 0))
  const path = name.startsWith('@') ? Buffer.from(`\0${name.slice(1)}`) : Buffer.from(`${name}\0`)
  const address = Buffer.concat([Buffer.from(Uint16Array.of(unix).buffer), path])
  if (Number(bind(fd, address, address.length)) !== 0) throw new Error(`cannot bind ${name}`)
  const heard: string[] = []
  const heardMs: number[] = []
  const buffer = Buffer.alloc(messageBytesMax)
  const listening = setInterval(() => {
    for (let bytes = take(); bytes >= 0; bytes = take()) {
      heard.push(buffer.toString('utf8', 0, bytes))
      heardMs.push(performance.now())
    }
  }, lookMs)
  const take = (): number => Number(receive(fd, buffer, buffer.length, 0))
  onTestFinished(() => {
    clearInterval(listening)
    close(fd)
  })
  return {
    name,
    heard,
    heardMs,
    async until(isThere, withinMs = 15_000) {
      const deadlineMs = performance.now() + withinMs
      while (!isThere(heard)) {
        if (performance.now() > deadlineMs) throw new Error(`not heard within ${withinMs} ms: ${heard.join(' | ')}`)
        await new Promise((resolve) => setTimeout(resolve, lookMs))
      }
    },
  }
}
