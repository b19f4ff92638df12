/** Code of the one thread that does all work of one directory target, so that a disk that hangs holds up nobody else. One ask after the other. */
import { folderOf } from '../../base/path.ts'
import { statfsSync } from 'node:fs'
import { type Handlers, serveThread } from '../../base/thread.ts'
import { putBatch } from './batch.ts'
import { below, Folders } from './folders.ts'
import { LargeCopy, removeLarge } from './large-copy.ts'
import { checkName, look, move, moveFolder, purge, type Stored, storedAfter, toTrash } from './objects.ts'
import { OpenObject } from './open-object.ts'
import { openPlace } from './opening.ts'
import { readNote, writeNote } from './owner-note.ts'
import { removeTemporaryFolder, sweep } from './temporary.ts'
import type { DirectoryVerbs, Progress } from './verbs.ts'
import { walk } from './walk.ts'

/** Files in one answer of a listing. */
const listFilesMax = 256
/** Bytes read in one step of a copy or a hash: some milliseconds, and small copies pass between two steps. */
const stepBytes = 4 * 2 ** 20

const copies = new Map<number, LargeCopy>()
const objects = new Map<number, OpenObject>()
const lists = new Map<number, { readonly folders: Folders; readonly files: Generator<Stored, void, undefined> }>()
let stepBuffer: Uint8Array | undefined

function buffer(): Uint8Array {
  stepBuffer ??= new Uint8Array(stepBytes)
  return stepBuffer
}

function known<T>(things: ReadonlyMap<number, T>, id: number): T {
  const thing = things.get(id)
  if (thing === undefined) throw new Error(`nothing is open as ${id}`)
  return thing
}

/** Ends what is open as `id`, if it is. */
function taken<T>(things: Map<number, T>, id: number): T | undefined {
  const thing = things.get(id)
  things.delete(id)
  return thing
}

function namesInUse(): ReadonlySet<string> {
  return new Set([...copies.values()].map((copy) => copy.temporaryName))
}

function progressOf(copy: LargeCopy): Progress {
  return { isProving: copy.isProving, begun: copy.begun }
}

const copying: Pick<
  Handlers<DirectoryVerbs>,
  'beginCopy' | 'prove' | 'copy' | 'harden' | 'finishCopy' | 'dropCopy' | 'forgetCopy'
> = {
  beginCopy: ({ id, place, put }) => {
    const copy = new LargeCopy(place, put)
    copies.set(id, copy)
    return progressOf(copy)
  },
  prove: ({ id }) => {
    const copy = known(copies, id)
    copy.prove(buffer())
    return progressOf(copy)
  },
  copy: ({ id, bytesMax }) => {
    const copy = known(copies, id)
    copy.step(buffer(), bytesMax)
    return progressOf(copy)
  },
  harden: ({ id }) => {
    const copy = known(copies, id)
    copy.harden()
    return copy.begun
  },
  finishCopy: ({ id }) => {
    const stored = known(copies, id).finish()
    taken(copies, id)?.close()
    return stored
  },
  dropCopy: ({ id, place, keep }) => {
    const copy = taken(copies, id)
    copy?.close()
    if (copy !== undefined && !keep) removeLarge(place, copy.temporaryName)
    return undefined
  },
  forgetCopy: ({ place, name }) => {
    if (!namesInUse().has(name)) removeLarge(place, name)
    return undefined
  },
}

const reading: Pick<
  Handlers<DirectoryVerbs>,
  'look' | 'openObject' | 'hashOn' | 'read' | 'setMtime' | 'closeObject'
> = {
  look: ({ place, path }) => {
    using folders = new Folders(place)
    return look(folders, path)
  },
  openObject: ({ id, place, path }) => {
    using folders = new Folders(place)
    const object = new OpenObject(folders, path)
    objects.set(id, object)
    return object.stored
  },
  hashOn: ({ id }) => known(objects, id).hashOn(buffer()),
  read: ({ id, start, bytesMax }) => {
    const object = known(objects, id)
    object.checkSame()
    // A buffer of its own, since it moves to the asker.
    return new Uint8Array(object.read(new Uint8Array(bytesMax), start))
  },
  setMtime: ({ id, place, path, mtimeNs }) => {
    known(objects, id).setMtime(mtimeNs)
    using folders = new Folders(place)
    folders.changed(folderOf(path))
    for (const folder of folders.unsynced) folders.syncOne(folder)
    return storedAfter(folders, path)
  },
  closeObject: ({ id }) => {
    taken(objects, id)?.close()
    return undefined
  },
}

const listing: Pick<Handlers<DirectoryVerbs>, 'beginList' | 'listOn' | 'closeList'> = {
  beginList: ({ id, place, under }) => {
    const folders = new Folders(place)
    lists.set(id, { folders, files: walk(folders, under) })
    return undefined
  },
  listOn: ({ id }) => {
    const { files: walking } = known(lists, id)
    const files: Stored[] = []
    while (files.length < listFilesMax) {
      const next = walking.next()
      if (next.done === true) return { files, isDone: true }
      files.push(next.value)
    }
    return { files, isDone: false }
  },
  closeList: ({ id }) => {
    const list = taken(lists, id)
    list?.files.return()
    list?.folders[Symbol.dispose]()
    return undefined
  },
}

const handlers: Handlers<DirectoryVerbs> = {
  ...copying,
  ...reading,
  ...listing,
  open: (asked) => openPlace(asked, namesInUse()),
  putBatch: ({ place, puts, bytes }) => {
    using folders = new Folders(place)
    return putBatch(folders, puts, bytes)
  },
  move: ({ place, from, to }) => {
    using folders = new Folders(place)
    return move(folders, from, to)
  },
  moveFolder: ({ place, from, to }) => {
    using folders = new Folders(place)
    return moveFolder(folders, from, to)
  },
  trash: ({ place, path, day }) => {
    using folders = new Folders(place)
    toTrash(folders, path, day)
    return undefined
  },
  purge: ({ place, path, revision }) => {
    checkName(path)
    using folders = new Folders(place)
    purge(folders, path, revision)
    return undefined
  },
  readNote: ({ place, path }) => {
    using folders = new Folders(place)
    return readNote(folders, path)
  },
  writeNote: ({ place, path, text }) => {
    using folders = new Folders(place)
    writeNote(folders, path, text)
    return undefined
  },
  about: ({ place }) => {
    using folders = new Folders(place)
    const stat = statfsSync(below(folders.enter('', false), '.'))
    return { usedBytes: (stat.blocks - stat.bfree) * stat.bsize, freeBytes: folders.freeBytes() }
  },
  tidy: ({ place }) => {
    using folders = new Folders(place)
    removeTemporaryFolder(folders)
    return undefined
  },
  rest: ({ place }) => {
    using folders = new Folders(place)
    sweep(folders, namesInUse(), Infinity)
    removeTemporaryFolder(folders)
    return undefined
  },
}

/** Bytes read for somebody else move there instead of being copied. */
function buffersOf(output: unknown): readonly ArrayBuffer[] {
  return output instanceof Uint8Array && output.buffer instanceof ArrayBuffer ? [output.buffer] : []
}

serveThread<DirectoryVerbs>(handlers, buffersOf)
