/** Random operations on two watched trees, folders and links included: at rest the journal is the trees, and targets that follow removals hold what they select. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { sourcePath } from '../../src/base/path.ts'
import { seededRandom, type Random } from '../../src/base/random.ts'
import { aFolder, aSeed } from '../builders.ts'
import { canMount, smallDisk } from '../disk.ts'
import { aWorld, type World } from './rig.ts'
import { watched, type Life } from './watched.ts'

/** More of them in a long run. */
const seeds = Number(process.env['FANFOLD_CHURN_SEEDS'] ?? 50)
const operations = 500
/** The program is off once in so many operations, and some are done meanwhile. */
const operationsPerLife = 170
const whileOff = 25

const never = new AbortController().signal
const patience = { timeout: 40_000, interval: 20 }

/** Changes a tree at random. */
class Churn {
  readonly #root: string
  readonly #random: Random
  readonly #newFolders: string[] = []
  #count = 0

  constructor(root: string, random: Random) {
    this.#root = root
    this.#random = random
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.#random() * from.length)]
  }

  #at(path: string): string {
    return join(this.#root, path)
  }

  #folder(): string {
    const folder = this.#pick(['a', 'b', 'a/c', 'a/c/d', 'b/a', 'e', ...this.#newFolders.slice(-3)]) ?? 'a'
    return `${this.#random() < 0.2 ? 'outbox' : 'inbox'}/${folder}`
  }

  /** A name that nothing ever had: a folder that gets it can move as a whole (F32). */
  #newFolder(): string {
    const folder = `${this.#pick(['', 'a/', 'b/', 'e/']) ?? ''}n${this.#count++}`
    this.#newFolders.push(folder)
    return `inbox/${folder}`
  }

  #file(): string {
    return `${this.#folder()}/${this.#pick(['x', 'y', 'z', 'a', 'c']) ?? 'x'}`
  }

  #isFile(path: string): boolean {
    try {
      return statSync(this.#at(path)).isFile()
    } catch {
      return false
    }
  }

  #isFolder(path: string): boolean {
    try {
      return statSync(this.#at(path)).isDirectory()
    } catch {
      return false
    }
  }

  /** A name to put something at, whatever it was before; undefined where a file is in the way. */
  #room(path: string): string | undefined {
    try {
      mkdirSync(dirname(this.#at(path)), { recursive: true })
    } catch {
      return undefined
    }
    return existsSync(this.#at(path)) && !this.#isFile(path) ? undefined : this.#at(path)
  }

  step(): void {
    const [one, other] = [this.#file(), this.#file()]
    const steps = [
      () => this.#write(one),
      () => this.#write(one),
      () => this.#renameFile(one, other),
      () => this.#renameFile(one, other),
      () => this.#swap(one, other),
      () => this.#moveByCopy(one, other),
      () => this.#renameFolder(this.#folder(), this.#folder()),
      () => this.#renameFolder(this.#folder(), this.#newFolder()),
      () => this.#link(one, other),
      () => this.#isFile(one) && rmSync(this.#at(one)),
      () => this.#isFile(one) && chmodSync(this.#at(one), 0o600 + Math.floor(this.#random() * 64)),
      () => this.#isFile(one) && utimesSync(this.#at(one), this.#random() * 1e9, this.#random() * 1e9),
      () => this.#random() < 0.1 && this.#removeFolder(this.#folder()),
    ]
    this.#pick(steps)?.()
  }

  #write(path: string): void {
    const room = this.#room(path)
    if (room === undefined) return
    // Some are large enough to be known again by their content.
    writeFileSync(`${room}.tmp`, `content ${this.#count++}`.padEnd(this.#random() < 0.3 ? 66_000 : 0))
    renameSync(`${room}.tmp`, room)
  }

  #renameFile(from: string, path: string): void {
    const room = this.#isFile(from) ? this.#room(path) : undefined
    if (room !== undefined) renameSync(this.#at(from), room)
  }

  /** As it is done from one file system to another. */
  #moveByCopy(from: string, path: string): void {
    const room = this.#isFile(from) && from !== path ? this.#room(path) : undefined
    if (room === undefined) return
    copyFileSync(this.#at(from), `${room}.tmp`)
    renameSync(`${room}.tmp`, room)
    rmSync(this.#at(from))
  }

  #removeFolder(path: string): void {
    if (this.#isFolder(path)) rmSync(this.#at(path), { recursive: true })
  }

  #link(from: string, path: string): void {
    const room = this.#isFile(from) ? this.#room(path) : undefined
    if (room !== undefined && !existsSync(room)) linkSync(this.#at(from), room)
  }

  #swap(one: string, other: string): void {
    if (one === other || !this.#isFile(one) || !this.#isFile(other)) return
    renameSync(this.#at(one), this.#at('inbox/swap.tmp'))
    renameSync(this.#at(other), this.#at(one))
    renameSync(this.#at('inbox/swap.tmp'), this.#at(other))
  }

  #renameFolder(from: string, path: string): void {
    const isFree = this.#isFolder(dirname(path)) && !existsSync(this.#at(path))
    const isBelow = `${path}/`.startsWith(`${from}/`)
    if (isFree && !isBelow && this.#isFolder(from)) renameSync(this.#at(from), this.#at(path))
  }
}

function filesIn(root: string): Map<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    files
      .map(({ parentPath, name }): [string, string] => {
        const path = join(parentPath, name)
        return [path.slice(root.length + 1), readFileSync(path, 'utf8').trimEnd()]
      })
      .filter(([path]) => !path.startsWith('.fanfold'))
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  )
}

const sourceNames = ['inbox', 'outbox']
/** What never ends is told of with all that is known. */
async function within<T>(what: string, work: Promise<T>, world: World, life: Life): Promise<T> {
  const over = new AbortController()
  const late = systemClock.sleep(30_000, over.signal).then(() => {
    throw new Error(`${what} takes for ever: ${unrest(world, life)}, ${world.failures.join()}`)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    late.catch(() => undefined)
    over.abort()
  }
}

const targetNames = ['nas', 'usb']

function isQuiet(world: World, target: string): boolean {
  const { journal } = world
  const { targetId } = world.seat(target)
  journal.retry(targetId, 'all')
  const { waiting, postponed, parked, leaving } = journal.counts(targetId)
  return waiting + postponed + parked + leaving + journal.activeCount(targetId) === 0
}

function unrest(world: World, { all }: Life): string {
  const { journal } = world
  const lanes = targetNames.map((name) => {
    const { targetId } = world.seat(name)
    const reasons = (['parked', 'postponed'] as const).map((state) => journal.reasonOf(targetId, state))
    return [name, journal.counts(targetId), reasons]
  })
  return JSON.stringify([...lanes, ...all.map((source) => [source.isIdle(), source.state()])])
}

/** Nothing dirty, nothing owed, for as long as events may still be on their way. */
async function rested(world: World, life: Life): Promise<void> {
  let quiet = 0
  const isQuietForLong = (): boolean => {
    for (const name of sourceNames) world.pipeline.approve(name)
    const isAllQuiet = targetNames.every((name) => isQuiet(world, name)) && life.all.every((source) => source.isIdle())
    quiet = isAllQuiet ? quiet + 1 : 0
    return quiet > 10
  }
  await vi.waitUntil(isQuietForLong, patience).catch((thrown: unknown) => {
    throw new Error(`not at rest: ${unrest(world, life)}`, { cause: thrown })
  })
}

/** What is not taken by the second target. */
const excluded = /^[^/]*\/e\//

async function aChurnedWorld(lives: readonly Life[]): Promise<World> {
  const folder = aFolder()
  // What is proven is order, and syncs cost nothing in memory.
  if (canMount) smallDisk(folder, 64)
  for (const name of sourceNames) mkdirSync(join(folder, name))
  const common = { onRemove: 'remove', at: '{source}/{path}' } as const
  const select = { sources: undefined, include: [], sizeMin: 0, sizeMax: undefined, newerThanMs: undefined }
  const world = await aWorld({
    targets: targetNames,
    // In the grace, a file of the same content gets the copy of one that went.
    configs: { nas: common, usb: { ...common, removeAfterMs: 250, select: { ...select, exclude: ['e/**'] } } },
    folder,
    onStale: (source, path) =>
      lives
        .at(-1)
        ?.all.find(({ name }) => name === source)
        ?.lookAgain(path),
  })
  for (const name of sourceNames) world.journal.declareSource(name)
  return world
}

/** Worlds and targets in which copies went to files of their content. */
let handedOver = 0

async function churn(seed: number): Promise<void> {
  const random = seededRandom(seed)
  const lives: Life[] = []
  const world = await aChurnedWorld(lives)
  const churning = new Churn(world.folder, random)
  const begin = async (): Promise<Life> => {
    const life = await watched(world, sourceNames)
    lives.push(life)
    return life
  }
  let life = await begin()
  await Promise.all(life.all.map(({ firstScan }) => firstScan))

  for (let n = 1; n <= operations; n++) {
    churning.step()
    if (random() < 0.15) await systemClock.sleep(random() * 20, never)
    if (n % operationsPerLife > 0) continue
    await within('the stop', life.sources.stop(), world, life)
    for (let off = 0; off < whileOff; off++) churning.step()
    life = await begin()
  }
  await within('the first scan', Promise.all(life.all.map(({ firstScan }) => firstScan)), world, life)
  await rested(world, life)

  const trees = sourceNames.map((name) => filesIn(join(world.folder, name)))
  const all = trees.flatMap((tree, index) =>
    [...tree].map(([path, content]): [string, string] => [`${sourceNames[index] ?? ''}/${path}`, content]),
  )
  for (const [index, name] of sourceNames.entries()) {
    const believed = world.journal.filesBelow(name, sourcePath(''), 1_000)
    expect([...believed].sort(), `seed ${seed}: the journal is the tree`).toEqual([...(trees[index]?.keys() ?? [])])
    expect(world.journal.fileCounts().get(name)).toBe(trees[index]?.size)
  }
  expect(filesIn(world.copies('nas')), `seed ${seed}: the target is the trees`).toEqual(new Map(all))
  const selected = new Map(all.filter(([path]) => !excluded.test(path)))
  expect(filesIn(world.copies('usb')), `seed ${seed}: the target is what it selects`).toEqual(selected)
  expect(world.failures).toEqual([])
  handedOver += world.journal.eventCounts().filter(({ event }) => event === 'handed-over').length
  await world.stop()
}

test.each(Array.from({ length: seeds }, (_, index) => aSeed() + index))(
  `F33: after ${operations} operations at random, the journal and the targets are the trees (seed %i)`,
  churn,
  120_000,
)

test('F30: among these operations were moves that only the content told', () => {
  expect(handedOver).toBeGreaterThan(0)
})
