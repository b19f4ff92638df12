/** Random operations on a watched tree, folders and links included: at rest the journal is the tree, and a target that follows removals is, too. */
import {
  chmodSync,
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
import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { sourcePath } from '../../src/base/path.ts'
import { seededRandom, systemRandom, type Random } from '../../src/base/random.ts'
import { openSources, type Source, type Sources } from '../../src/source/source.ts'
import { aFolder, aSeed } from '../builders.ts'
import { canMount, smallDisk } from '../disk.ts'
import { aWorld, type World } from './rig.ts'

/** More of them in a long run. */
const seeds = Number(process.env['FANFOLD_CHURN_SEEDS'] ?? 3)
const operations = 500
/** The program is off once in so many operations, and some are done meanwhile. */
const operationsPerLife = 170
const whileOff = 25

const never = new AbortController().signal
const patience = { timeout: 12_000, interval: 20 }

/** Changes a tree at random. */
class Churn {
  readonly #root: string
  readonly #random: Random
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
    return this.#pick(['a', 'b', 'a/c', 'a/c/d', 'b/a', 'e']) ?? 'a'
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
      () => this.#renameFolder(this.#folder(), this.#folder()),
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
    writeFileSync(`${room}.tmp`, `content ${this.#count++}`)
    renameSync(`${room}.tmp`, room)
  }

  #renameFile(from: string, path: string): void {
    const room = this.#isFile(from) ? this.#room(path) : undefined
    if (room !== undefined) renameSync(this.#at(from), room)
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
    renameSync(this.#at(one), this.#at('swap.tmp'))
    renameSync(this.#at(other), this.#at(one))
    renameSync(this.#at('swap.tmp'), this.#at(other))
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
        return [path.slice(root.length + 1), readFileSync(path, 'utf8')]
      })
      .filter(([path]) => !path.startsWith('.fanfold'))
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  )
}

async function watched(world: World, inbox: string): Promise<{ source: Source; sources: Sources }> {
  const { journal } = world
  const sources = await openSources({
    believed: journal,
    take: (changes) => world.take(changes),
    note: () => {},
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  })
  onTestFinished(() => sources.stop())
  const config = { name: 'inbox', path: inbox, ignore: [], settleMs: 100, rescanMs: 3_600_000, watch: 'auto' } as const
  return { source: await sources.add(config), sources }
}

/** Nothing dirty, nothing owed, for as long as events may still be on their way. */
async function rested(world: World, source: Source): Promise<void> {
  const { targetId } = world.seat('nas')
  let quiet = 0
  await vi
    .waitUntil(() => {
      world.pipeline.approve('inbox')
      world.journal.retry(targetId)
      const { waiting, postponed, parked, leaving } = world.journal.counts(targetId)
      const isQuiet =
        source.isIdle() && waiting + postponed + parked + leaving + world.journal.activeCount(targetId) === 0
      quiet = isQuiet ? quiet + 1 : 0
      return quiet > 10
    }, patience)
    .catch((thrown: unknown) => {
      const counts = JSON.stringify(world.journal.counts(targetId))
      const reasons = (['parked', 'postponed'] as const).map((state) => world.journal.reasonOf(targetId, state))
      throw new Error(
        `not at rest: ${counts} ${reasons.join(' / ')} ${JSON.stringify(source.state())} idle ${source.isIdle()}`,
        { cause: thrown },
      )
    })
}

async function churn(seed: number): Promise<void> {
  const random = seededRandom(seed)
  const folder = aFolder()
  // What is proven is order, and syncs cost nothing in memory.
  if (canMount) smallDisk(folder, 64)
  const inbox = join(folder, 'inbox')
  const lives: { source: Source; sources: Sources }[] = []
  const world = await aWorld({
    targets: ['nas'],
    configs: { nas: { onRemove: 'remove' } },
    folder,
    onStale: (_, path) => lives.at(-1)?.source.lookAgain(path),
  })
  const churning = new Churn(inbox, random)
  lives.push(await watched(world, inbox))
  await lives.at(-1)?.source.firstScan

  for (let n = 1; n <= operations; n++) {
    churning.step()
    if (random() < 0.15) await systemClock.sleep(random() * 20, never)
    if (n % operationsPerLife > 0) continue
    await lives.pop()?.sources.stop()
    for (let off = 0; off < whileOff; off++) churning.step()
    lives.push(await watched(world, inbox))
  }
  for (const { source } of lives) {
    await source.firstScan
    await rested(world, source)
  }

  const tree = filesIn(inbox)
  const believed = world.journal.filesBelow('inbox', sourcePath(''), 1_000)
  expect([...believed].sort(), `seed ${seed}: the journal is the tree`).toEqual([...tree.keys()])
  expect(filesIn(world.copies('nas')), `seed ${seed}: the target is the tree`).toEqual(tree)
  expect(world.journal.fileCounts().get('inbox')).toBe(tree.size)
  expect(world.failures).toEqual([])
  await world.stop()
}

test.each(Array.from({ length: seeds }, (_, index) => aSeed() + index))(
  `F33: after ${operations} operations at random, the journal and a target are the tree (seed %i)`,
  churn,
  120_000,
)
