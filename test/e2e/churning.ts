/** A daemon that is killed while its source changes at random, and what must be true once it was left to finish. */
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect } from 'vitest'
import { seededRandom, type Random } from '../../src/base/random.ts'
import { aBench, fanfold, startDaemon, type Bench } from './rig.ts'

const targets = {
  all: '',
  small: 'select: { max-size: 2KiB }',
  even: "select: { include: ['*0', '*2', '*4', '*6', '*8'] }",
}
const selects: Readonly<Record<keyof typeof targets, (path: string, size: number) => boolean>> = {
  all: () => true,
  small: (_path, size) => size <= 2048,
  even: (path) => /[02468]$/.test(path),
}

/** A source tree that is changed at random, and every path that ever was in it. */
class Churn {
  readonly everSeen = new Set<string>()
  readonly #root: string
  readonly #random: Random
  #newest = ''
  #count = 0

  constructor(root: string, random: Random) {
    this.#root = root
    this.#random = random
  }

  #pick(count: number): number {
    return Math.floor(this.#random() * count)
  }

  #path(): string {
    const newest = this.#newest === '' ? '' : `${this.#newest}/`
    const folders = ['', 'a/', 'a/b/', 'c d/', 'ü/', newest][this.#pick(6)] ?? ''
    const path = `${folders}f${this.#pick(25)}`
    mkdirSync(join(this.#root, folders), { recursive: true })
    this.everSeen.add(path)
    return join(this.#root, path)
  }

  #content(): Buffer {
    const size = this.#pick(10) === 0 ? this.#pick(3_000_000) : this.#pick(6000)
    return Buffer.alloc(size, this.#pick(256).toString(36))
  }

  step(): void {
    const path = this.#path()
    const operations = [
      () => writeFileSync(path, this.#content()),
      () => appendFileSync(path, this.#content()),
      () => this.#saveAtomically(path),
      () => existsSync(path) && renameSync(path, this.#path()),
      () => this.#swap(path, this.#path()),
      () => rmSync(path, { force: true }),
      () => existsSync(path) && chmodSync(path, 0o600 + this.#pick(64)),
      () => this.#link(path, this.#path()),
      () => this.#renameFolder(),
      () => this.#renameAnew(),
    ]
    operations[this.#pick(operations.length)]?.()
  }

  #saveAtomically(path: string): void {
    writeFileSync(`${path}.tmp`, this.#content())
    renameSync(`${path}.tmp`, path)
  }

  #link(one: string, other: string): void {
    if (existsSync(one) && !existsSync(other)) linkSync(one, other)
  }

  /** To a name that nothing has; back and forth, since there are but two. */
  #renameFolder(): void {
    const [from = '', to = ''] = this.#pick(2) === 0 ? ['a/b', 'moved'] : ['moved', 'a/b']
    if (!existsSync(join(this.#root, from)) || existsSync(join(this.#root, to))) return
    mkdirSync(join(this.#root, 'a'), { recursive: true })
    this.#seeBelow(from, to)
    renameSync(join(this.#root, from), join(this.#root, to))
  }

  /** To a name that nothing ever had, with all that is below it; and some files go there. */
  #renameAnew(): void {
    const from = ['c d', 'a', 'ü', this.#newest][this.#pick(4)] ?? ''
    if (from === '' || !existsSync(join(this.#root, from))) return
    const to = `n${this.#count++}`
    this.#newest = to
    this.#seeBelow(from, to)
    renameSync(join(this.#root, from), join(this.#root, to))
  }

  /** Copies of files that are gone go along with their folder. */
  #seeBelow(from: string, to: string): void {
    const below = [...this.everSeen].filter((path) => path.startsWith(`${from}/`))
    for (const path of below) this.everSeen.add(`${to}${path.slice(from.length)}`)
  }

  #swap(one: string, other: string): void {
    if (!existsSync(one) || !existsSync(other) || one === other) return
    renameSync(one, `${one}.tmp`)
    renameSync(other, one)
    renameSync(`${one}.tmp`, other)
  }
}

function hashes(root: string): Map<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name)
      return [path.slice(root.length + 1), createHash('sha256').update(readFileSync(path)).digest('hex')]
    }),
  )
}

/** @param kills how often it is killed with -9 at a random moment. */
export async function killDuringChurn(kills: number, seed: number): Promise<void> {
  const random = seededRandom(seed)
  const bench = aBench(targets, 'settle: 100ms')
  const churn = new Churn(bench.inbox, random)

  for (let kill = 0; kill < kills; kill++) {
    const daemon = await startDaemon(bench)
    const untilMs = performance.now() + random() * 700
    while (performance.now() < untilMs) {
      churn.step()
      if (random() < 0.3) await new Promise((resolve) => setTimeout(resolve, random() * 30))
    }
    await daemon.end('SIGKILL')
    for (let n = 0; n < 5; n++) churn.step()
  }
  const last = await fanfold(bench, 'run', '--until-idle')

  expect(last.code, `seed ${seed}\n${last.stdout}${last.stderr}`).toBe(0)
  checkTargets(bench, churn, seed)
  checkReceipts(bench, seed)
}

function checkTargets(bench: Bench, churn: Churn, seed: number): void {
  const source = hashes(bench.inbox)
  for (const [name, isSelected] of Object.entries(selects)) {
    const copies = hashes(bench.copies(name))
    for (const [path, hash] of source) {
      const { length } = readFileSync(join(bench.inbox, path))
      if (isSelected(path, length)) expect(copies.get(path), `seed ${seed}: ${name} ${path}`).toBe(hash)
    }
    const strange = [...copies.keys()].filter(
      (path) => !path.startsWith('.fanfold-trash/') && !churn.everSeen.has(path.replace(/ \(kept [^)]*\)|\.tmp$/, '')),
    )
    expect(strange, `seed ${seed}: ${name} holds what never was`).toEqual([])
    expect(
      readdirSync(bench.copies(name)).filter((entry) => entry.startsWith('.fanfold') && entry !== '.fanfold-trash'),
      `seed ${seed}`,
    ).toEqual([])
  }
}

function checkReceipts(bench: Bench, seed: number): void {
  const journal = new Database(join(bench.folder, 'state', 'journal.sqlite'), { readonly: true })
  const receipts = journal
    .prepare<[], { name: string; path: string; sha256: Buffer }>(
      'SELECT target.name AS name, path, sha256 FROM receipt JOIN target ON target.id = target_id',
    )
    .all()
  journal.close()
  expect(receipts.length).toBeGreaterThan(20)
  for (const { name, path, sha256 } of receipts) {
    const copy = createHash('sha256').update(readFileSync(join(bench.copies(name), path)))
    expect(copy.digest('hex'), `seed ${seed}: receipt of ${name} ${path}`).toBe(sha256.toString('hex'))
  }
}
