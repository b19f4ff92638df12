/**
 * The daemon's socket file: put in place with its final mode, in place of a dead one, never of a living one, and taken away again.
 * It is made in a private folder beside its place and linked there complete, so that at no moment somebody else could connect.
 */
import type { Server } from 'node:http'
import { once } from 'node:events'
import { chmod, link, lstat, mkdtemp, open, readdir, rm, unlink, type FileHandle } from 'node:fs/promises'
import { connect } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { errnoOf, OwnerError } from '../base/errors.ts'

/** The daemon's owner and its group may ask; nobody else. */
const socketMode = 0o660
/** What a socket's address holds on Linux (sun_path without its final zero). Unit: bytes. */
const addressBytesMax = 107
/** A place that is taken again and again while we clear it is no stale socket. */
const placingTriesMax = 3
const makingPrefix = '.control-'

/** A socket's address short enough for the kernel: through an open folder where the path itself is too long. */
export async function openAddress(path: string): Promise<{ address: string; close(): Promise<void> }> {
  if (Buffer.byteLength(path) <= addressBytesMax) return { address: path, close: () => Promise.resolve() }
  const folder: FileHandle = await open(dirname(path), 'r')
  return { address: `/proc/self/fd/${folder.fd}/${basename(path)}`, close: () => folder.close() }
}

/** Makes `server` listen at `path`. Answers what takes the file away again, and only if it is still ours. */
export async function listenAt(server: Server, path: string): Promise<{ close(): Promise<void> }> {
  await sweepUnfinished(dirname(path))
  const making = await mkdtemp(join(dirname(path), makingPrefix))
  const made = join(making, 'socket')
  const address = await openAddress(made)
  try {
    server.listen(address.address)
    await once(server, 'listening')
    await chmod(made, socketMode)
    const { ino } = await lstat(made)
    await place(made, path)
    return {
      async close() {
        await removeOwn(path, ino)
        // Kept open until now: the server unlinks the address it was made at, which must not be another folder by then.
        await closeServer(server)
        await address.close()
      },
    }
  } catch (thrown) {
    if (server.listening) await closeServer(server)
    await address.close()
    throw thrown
  } finally {
    await rm(making, { recursive: true, force: true })
  }
}

/** Folders in which a crash left an unfinished socket. */
async function sweepUnfinished(folder: string): Promise<void> {
  const names = await readdir(folder)
  for (const name of names.filter((each) => each.startsWith(makingPrefix)))
    await rm(join(folder, name), { recursive: true, force: true })
}

/** A link never replaces: whoever stands there is looked at first. */
async function place(made: string, path: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await link(made, path)
      return
    } catch (thrown) {
      if (errnoOf(thrown) !== 'EEXIST' || tries === placingTriesMax) throw thrown
      await removeStale(path)
    }
  }
}

async function removeStale(path: string): Promise<void> {
  const there = await lstat(path)
  if (!there.isSocket()) throw new OwnerError(`${path} is in the way and is no socket; move it away`)
  if (await isAnswered(path)) throw new OwnerError(`another daemon answers at ${path}; stop it first`)
  await unlink(path)
}

/** Whether a process listens there. Only a refused connection proves that none does. */
async function isAnswered(path: string): Promise<boolean> {
  const address = await openAddress(path)
  const socket = connect(address.address)
  try {
    await once(socket, 'connect')
    return true
  } catch (thrown) {
    return errnoOf(thrown) !== 'ECONNREFUSED'
  } finally {
    socket.destroy()
    await address.close()
  }
}

async function removeOwn(path: string, ino: number): Promise<void> {
  try {
    if ((await lstat(path)).ino === ino) await unlink(path)
  } catch (thrown) {
    // Already taken away by somebody: that was the aim.
    if (errnoOf(thrown) !== 'ENOENT') throw thrown
  }
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
