/**
 * The thread that watches all sources: blocks in poll(2), drains the kernel's queue at once, keeps every new folder under watch
 * and hands on what became dirty. Judges no file. It never waits for the program: what cannot be sent yet coalesces (F1).
 */
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads'
import { assert, unreachable } from '../base/errors.ts'
import { clearWakeup, readReady, waitReadable } from '../base/libc.ts'
import { folderOf, joinPath, nameOf } from '../base/path.ts'
import { IgnoreRules, ignoreFileName } from './ignore-rules.ts'
import { events, parseEvents, type KernelEvent } from './inotify.ts'
import { Outbox } from './outbox.ts'
import { shared, type DirtyPath, type WatchCommand, type WatchReport, type WatchThreadStart } from './watch-reports.ts'
import { pathOf, WatchTree, type Tree, type WatchedFolder } from './watch-tree.ts'
import { WatchWalk } from './watch-walk.ts'

/** One read: some 2,000 events. */
const readBytes = 64 * 1024
/** Reads in a row before reports are sent. */
const readsMax = 64
/** Folders put under watch in a row before events are read again: a few milliseconds. */
const walkStepCount = 100
/** New folders waiting to be watched; past it the whole tree is walked instead, which finds them all. */
const walksMax = 10_000
/** Longest sleep, ms: so often the thread shows that it lives. */
const beatMs = 1_000
/** Batches sent and not yet taken by the program. */
const batchesMax = 2

class WatchLoop {
  readonly #port: MessagePort
  readonly #inotify: number
  readonly #wakeup: number
  readonly #shared: Int32Array
  readonly #watches: WatchTree
  readonly #outbox = new Outbox()
  readonly #trees = new Map<number, Tree>()
  /** What was said of each tree last. */
  readonly #counts = new Map<number, { readonly watchedCount: number; readonly isWalking: boolean }>()
  readonly #buffer = Buffer.alloc(readBytes)
  #walks: WatchWalk[] = []
  #sentCount = 0
  #isStopping = false

  constructor(port: MessagePort, start: WatchThreadStart) {
    this.#port = port
    this.#inotify = start.inotify
    this.#wakeup = start.wakeup
    this.#shared = new Int32Array(start.shared)
    this.#watches = new WatchTree(start.inotify)
  }

  /** Returns when it is told to stop: this loop is the thread. */
  run(): void {
    for (;;) {
      Atomics.add(this.#shared, shared.beat, 1)
      this.#takeCommands()
      if (this.#isStopping) return
      for (const tree of this.#trees.values()) tree.rules.refresh()
      this.#drain()
      this.#walk()
      this.#send()
      const [, isWoken] = waitReadable([this.#inotify, this.#wakeup], this.#walks.length > 0 ? 0 : beatMs)
      if (isWoken === true) clearWakeup(this.#wakeup)
    }
  }

  #takeCommands(): void {
    for (let got = receiveMessageOnPort(this.#port); got !== undefined; got = receiveMessageOnPort(this.#port)) {
      // Only watch.ts writes to this port.
      this.#obey(got.message as WatchCommand)
    }
  }

  #obey(command: WatchCommand): void {
    switch (command.kind) {
      case 'watch': {
        this.#unwatch(command.id)
        const { id, root, ignore, oneFileSystem } = command
        const rules = new IgnoreRules(root, ignore)
        const tree: Tree = { id, root, rules, oneFileSystem, device: undefined, top: undefined, watchedCount: 0 }
        this.#trees.set(command.id, tree)
        this.#walks.push(new WatchWalk(this.#watches, tree, undefined, ''))
        return
      }
      case 'extend':
        this.#extend(command.id, command.folder)
        return
      case 'unwatch':
        this.#unwatch(command.id)
        return
      case 'stop':
        this.#isStopping = true
        return
      default:
        unreachable(command)
    }
  }

  #unwatch(id: number): void {
    const tree = this.#trees.get(id)
    if (tree?.top !== undefined) this.#watches.drop(tree.top)
    this.#walks = this.#walks.filter((walk) => walk.tree !== tree)
    this.#trees.delete(id)
    this.#counts.delete(id)
    this.#outbox.forget(id)
  }

  #extend(id: number, folder: string): void {
    const tree = this.#trees.get(id)
    if (tree === undefined) return
    // Its parent may have gone meanwhile, or may be one of those that could not be watched: then that one has to be extended first.
    const parent = folder === '' ? undefined : this.#watches.find(tree, folderOf(folder))
    if (folder === '' || parent !== undefined) this.#walkBelow(tree, parent, nameOf(folder))
  }

  #walkBelow(tree: Tree, parent: WatchedFolder | undefined, name: string): void {
    if (this.#walks.length >= walksMax) {
      this.#walks = this.#walks.filter((walk) => walk.tree !== tree)
      this.#walks.push(new WatchWalk(this.#watches, tree, undefined, ''))
    } else this.#walks.push(new WatchWalk(this.#watches, tree, parent, name))
  }

  #drain(): void {
    for (let read = 0; read < readsMax; read++) {
      const bytes = readReady(this.#inotify, this.#buffer)
      if (bytes === 0) return
      for (const event of parseEvents(this.#buffer, bytes)) this.#see(event)
    }
  }

  #see(event: KernelEvent): void {
    if ((event.mask & events.overflow) !== 0) {
      this.#outbox.single({ kind: 'overflow' })
      return
    }
    for (const folder of this.#watches.of(event.wd)) {
      if (event.name === '') this.#seeFolderItself(folder, event)
      else this.#seeEntry(folder, event)
    }
    if ((event.mask & events.ignored) !== 0) this.#watches.ended(event.wd)
  }

  #seeFolderItself(folder: WatchedFolder, { mask }: KernelEvent): void {
    const { id } = folder.tree
    const isRoot = folder.parent === undefined
    if (isRoot && (mask & (events.deleteSelf | events.moveSelf | events.unmount)) !== 0) {
      this.#outbox.single({ kind: 'root-lost', id })
    } else if ((mask & events.unmount) !== 0) {
      this.#outbox.single({ kind: 'unmounted', id, folder: pathOf(folder) })
    }
  }

  #seeEntry(folder: WatchedFolder, event: KernelEvent): void {
    const isFolder = (event.mask & events.isFolder) !== 0
    if (isFolder) this.#seeSubfolder(folder, event)
    else this.#dirty(folder, event, { sign: signOf(event.mask), isTree: false })
    if (!isFolder && event.name === ignoreFileName) this.#rulesChanged(folder)
  }

  #seeSubfolder(folder: WatchedFolder, event: KernelEvent): void {
    const { mask, name } = event
    const watched = folder.children.get(name)
    if ((mask & (events.delete | events.movedFrom)) !== 0) {
      if (watched !== undefined) this.#watches.drop(watched)
      this.#dirty(folder, event, { sign: 'gone', isTree: true })
    } else if ((mask & (events.create | events.movedTo)) !== 0) {
      this.#dirty(folder, event, { sign: 'gone', isTree: false })
      this.#enter(folder, name)
    } else if ((mask & events.attrib) !== 0 && (watched?.children.size ?? 0) === 0) {
      // It could not be read before, perhaps; its mode may allow it now (F41).
      this.#enter(folder, name)
    }
  }

  #enter(folder: WatchedFolder, name: string): void {
    if (folder.tree.rules.whyInside(joinPath(pathOf(folder), name), true) !== undefined) return
    this.#walkBelow(folder.tree, folder, name)
  }

  #dirty(folder: WatchedFolder, event: KernelEvent, what: Pick<DirtyPath, 'sign' | 'isTree'>): void {
    const path = joinPath(pathOf(folder), event.name)
    this.#outbox.path(folder.tree.id, { path, cookie: event.cookie, ...what })
  }

  /** Other rules may apply below: watches are placed anew by them, and all of it is compared. */
  #rulesChanged(folder: WatchedFolder): void {
    folder.tree.rules.refresh()
    for (const [name, child] of folder.children) {
      if (folder.tree.rules.why(joinPath(pathOf(folder), name), true) !== undefined) this.#watches.drop(child)
    }
    if (folder.parent === undefined) this.#walkBelow(folder.tree, undefined, '')
    else this.#walkBelow(folder.tree, folder.parent, folder.name)
  }

  #walk(): void {
    let left = walkStepCount
    for (let walk = this.#walks[0]; walk !== undefined && left > 0; walk = this.#walks[0]) {
      left -= walk.step(left)
      if (!walk.isEnd) return
      this.#walks.shift()
      this.#reportWalk(walk)
    }
  }

  #reportWalk({ tree, top, failures }: WatchWalk): void {
    const { id } = tree
    for (const { folder, code } of failures) this.#outbox.single({ kind: 'unwatched', id, folder, code })
    if (top === '') this.#outbox.single({ kind: 'watched', id })
    this.#outbox.subtree(id, top)
  }

  #send(): void {
    this.#reportCounts()
    while (!this.#outbox.isEmpty) {
      if (this.#isBehind()) return
      this.#port.postMessage(this.#outbox.take())
      this.#sentCount++
    }
  }

  /** Does the program have enough to do? If so it wakes this thread when it has taken a batch. */
  #isBehind(): boolean {
    Atomics.store(this.#shared, shared.isHolding, 1)
    const isBehind = this.#sentCount - Atomics.load(this.#shared, shared.takenCount) >= batchesMax
    if (!isBehind) Atomics.store(this.#shared, shared.isHolding, 0)
    return isBehind
  }

  #reportCounts(): void {
    for (const tree of this.#trees.values()) {
      const { id, watchedCount } = tree
      const isWalking = this.#walks.some((walk) => walk.tree === tree)
      const before = this.#counts.get(id)
      if (before?.watchedCount === watchedCount && before.isWalking === isWalking) continue
      this.#counts.set(id, { watchedCount, isWalking })
      const report: WatchReport = { kind: 'count', id, watchedCount, isWalking }
      this.#outbox.single(report)
    }
  }
}

function signOf(mask: number): DirtyPath['sign'] {
  if ((mask & (events.closeWrite | events.movedTo)) !== 0) return 'closed'
  if ((mask & (events.delete | events.movedFrom)) !== 0) return 'gone'
  if ((mask & (events.create | events.modify)) !== 0) return 'open'
  return 'attributes'
}

assert(parentPort !== null, 'this module is the code of a thread')
// Only watch.ts starts this thread, with this as its data.
new WatchLoop(parentPort, workerData as WatchThreadStart).run()
