/** A life that is ended at a single step on disk, and the next one: what was promised is kept, and what is found again is finished without doing it twice. */
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { sourcePath } from '../../src/base/path.ts'
import { wholeBytesMax } from '../../src/digest/digest.ts'
import type { Change, Journal } from '../../src/journal/journal.ts'
import { TargetError, type Target } from '../../src/target/target.ts'
import { aFolder } from '../builders.ts'
import { canMount, smallDisk } from '../disk.ts'
import { journalPointOf, Life, live, makeMortal, type Fate } from './mortal.ts'
import { aWorld, forwarded, type World } from './rig.ts'

const sound = ['nas', 'usb'] as const
/** Fewer would mean that what is counted is not all there is. */
export const pointsMin = 400

const names = [...sound, 'ill'] as const
/** Where copies follow their files to the trash, at once. */
const follower = 'usb'
const configs = { [follower]: { onRemove: 'trash', removeAfterMs: 0 } } as const

interface Write {
  readonly path: string
  /** Undefined removes the file. */
  readonly content: string | undefined
}

/** Renames at once, each from one path to another. */
interface Renames {
  readonly moves: readonly (readonly [from: string, path: string])[]
  /** By whoever knows of no rename: they are new files, and the old ones are gone. */
  readonly isByCopy?: boolean
}

type Step = Write | Renames

/** Twelve changes, four moves and one by copy; those of one line come at once, the next line when the sound targets are at rest. */
const scenario: readonly (readonly Step[])[] = [
  [
    { path: 'letter', content: 'dear reader' },
    { path: 'music/song', content: 'la la' },
    { path: 'music/film', content: 'f'.repeat(wholeBytesMax + 1) },
  ],
  [
    { path: 'letter', content: 'dear writer' },
    { path: 'diary', content: 'monday' },
    { path: 'diary', content: 'monday and tuesday' },
  ],
  [
    {
      moves: [
        ['letter', 'diary'],
        ['diary', 'letter'],
        ['music/film', 'film'],
      ],
    },
  ],
  [
    { path: 'music/song', content: undefined },
    { moves: [['film', 'reel']] },
    { path: 'music/film', content: 'g'.repeat(wholeBytesMax + 1) },
    { path: 'empty', content: '' },
  ],
  [
    { path: 'diary', content: undefined },
    { path: 'music/song', content: 'la la la' },
    { path: 'letter', content: undefined },
  ],
  [{ moves: [['music/film', 'roll']], isByCopy: true }],
]
const steps = scenario.flat()
const writes = steps.flatMap((step) => ('moves' in step ? [] : step))
const renames = steps.flatMap((step) => ('moves' in step ? step.moves : []))
const paths = [...new Set([...writes.map(({ path }) => path), ...renames.map(([, path]) => path)])]

/** Long enough for the answer to a failed call to come back, shorter than the first retry. Unit: ms. */
const afterFailureMs = 20

/** It refuses some copies and stores the others, but its answer gets lost. */
function ill(target: Target): Target {
  return {
    ...forwarded(target),
    async put(copy, at, work, signal) {
      if (copy.sha256 > '8') await target.put(copy, at, work, signal)
      throw new TargetError({ kind: 'retry' }, 'the service is unwell')
    },
  }
}

function apply(folder: string, step: Step): Change[] {
  return 'moves' in step ? rename(folder, step) : [write(folder, step)]
}

function rename(folder: string, { moves, isByCopy = false }: Renames): Change[] {
  const at = (path: string): string => join(folder, 'inbox', path)
  if (isByCopy) {
    for (const [from, path] of moves) copyFileSync(at(from), at(path))
    return moves.flatMap(([from, path]) => [changeOf(folder, path), write(folder, { path: from, content: undefined })])
  }
  for (const [from, path] of moves) renameSync(at(from), at(`${path}.tmp`))
  return moves.map(([from, path]) => {
    renameSync(at(`${path}.tmp`), at(path))
    return { ...changeOf(folder, path), kind: 'move', from: sourcePath(from) } as Change
  })
}

function write(folder: string, { path, content }: Write): Change {
  const file = join(folder, 'inbox', path)
  if (content === undefined) rmSync(file, { force: true })
  else {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
  }
  return changeOf(folder, path)
}

/** What a scan would say of a path. */
function changeOf(folder: string, path: string): Change {
  const where = { source: 'inbox', path: sourcePath(path) }
  const stat = statSync(join(folder, 'inbox', path), { bigint: true, throwIfNoEntry: false })
  if (stat === undefined) return { kind: 'remove', ...where }
  const { size, mtimeNs, ctimeNs, ino: inode } = stat
  return { kind: 'put', ...where, stat: { size: Number(size), mtimeNs, ctimeNs, inode } }
}

function isQuiet(world: World, target: string): boolean {
  const { targetId } = world.seat(target)
  const { waiting, postponed, parked, leaving } = world.journal.counts(targetId)
  return waiting + postponed + parked + leaving + world.journal.activeCount(targetId) === 0
}

/** What is known of the life that was ended when the next one begins. */
interface Past {
  readonly folder: string
  /** Per path: steps of which it was said that they are in the journal. */
  readonly promised: ReadonlyMap<string, Change>
  readonly life: Life
}

/** Lives until its point is reached, or through the whole scenario. */
async function firstLife(atPoint: number, fate: Fate, base: string): Promise<Past> {
  const folder = join(base, `${fate}-${atPoint}`)
  mkdirSync(folder)
  const life = new Life(atPoint, fate, join(folder, 'journal.sqlite'))
  const promised = new Map<string, Change>()
  live(life)
  let world: World | undefined
  let done = 0
  try {
    const wrap = (target: Target, { name }: { name: string }): Target => (name === 'ill' ? ill(target) : target)
    world = await aWorld({ targets: names, configs, folder, wrap, stopGraceMs: 0, onStatement: journalPointOf(life) })
    for (const line of scenario) {
      for (const step of line) {
        const changes = apply(folder, step)
        done++
        // What is answered after the end was never said.
        const taken = world.take(changes).then(() => !life.isOver)
        const isTaken = await Promise.race([taken, life.struck.then(() => false)])
        if (isTaken) for (const change of changes) promised.set(change.path, change)
        if (life.isStruck) break
      }
      await rested(world, life)
      if (life.isStruck) break
    }
    // What failed is dealt with by whoever it failed for, before this life is ended in order.
    if (life.isStruck && !life.isOver) await systemClock.sleep(afterFailureMs, never)
  } catch (thrown) {
    if (!life.isStruck) throw thrown
  }
  live(undefined)
  await world?.stop()
  // The owner of the files knows nothing of what happened.
  for (const step of steps.slice(done)) apply(folder, step)
  return { folder, promised, life }
}

async function rested(world: World, life: Life): Promise<void> {
  const isAtRest = (): boolean => life.isStruck || sound.every((name) => isQuiet(world, name))
  await vi.waitUntil(isAtRest, { timeout: 30_000, interval: 1 })
}

const never = new AbortController().signal

async function nextLife({ folder, promised, life }: Past): Promise<void> {
  const before = copiesIn(folder)
  const receipted = receiptedIn(life.legacy)
  const world = await aWorld({ targets: names, configs, folder, file: life.legacy, stopGraceMs: 0 })
  for (const [path, change] of promised) checkPromise(world.journal, path, change)
  const news = paths.map((path) => changeOf(folder, path)).filter((change) => isNews(world.journal, change))
  const found = news.map((change) => asMove(world.journal, folder, change))
  await world.take([...found.filter(({ kind }) => kind === 'move'), ...found.filter(({ kind }) => kind !== 'move')])
  for (const name of names) world.journal.retry(world.seat(name).targetId)
  for (const name of names) world.seat(name).lane?.nudge()
  await vi.waitUntil(() => names.every((name) => isSettled(world, name)), { timeout: 30_000, interval: 1 })
  // Behind the last delivery a target is tidied up; one that is stopped before that is tidied when it is opened next.
  await vi.waitUntil(() => names.every((name) => isTidy(folder, name)), { timeout: 30_000, interval: 1 })
  const left = leftByHand(world.journal, paths)
  await world.stop()
  expect(world.failures).toEqual([])
  checkCopies(folder, before, { then: receipted, now: receiptedIn(life.legacy) })
  checkReceipts(folder, life.legacy, left)
}

function isTidy(folder: string, target: string): boolean {
  const work = join(folder, 'copies', target, '.fanfold-tmp')
  return !existsSync(work) || readdirSync(work).length === 0
}

/** Nothing left to do, but for copies of which nobody can say any more that they are ours: their owner is asked. */
function isSettled(world: World, target: string): boolean {
  if (isQuiet(world, target)) return true
  const { targetId } = world.seat(target)
  const { waiting, postponed, leaving } = world.journal.counts(targetId)
  const isAsked = world.journal.reasonOf(targetId, 'parked')?.includes('stays until it is removed there by hand')
  return isAsked === true && waiting + postponed + leaving + world.journal.activeCount(targetId) === 0
}

/** Written by an attempt that was never recorded, then gone from its source before anybody could compare. */
function leftByHand(journal: Journal, paths: readonly string[]): ReadonlySet<string> {
  const isLeft = (path: string): boolean => {
    const record = journal.recordOf('inbox', sourcePath(path))
    if (record === undefined || record.isPresent) return false
    return journal.openOf(record.fileId).some(({ target, state }) => target === follower && state === 'parked')
  }
  return new Set(paths.filter(isLeft).map((path) => `${follower}/${path}`))
}

/** What a life said is in the journal is there, or what came after it. */
function checkPromise(journal: Journal, path: string, change: Change): void {
  const record = journal.recordOf('inbox', sourcePath(path))
  // It may have moved meanwhile, and another one with older times may have its name.
  if (renames.flat().includes(path)) return
  expect(record, `${path} was taken`).toBeDefined()
  if (record === undefined || !('stat' in change)) return
  if (record.isPresent)
    expect(record.mtimeNs, `${path} is as new as what was taken`).toBeGreaterThanOrEqual(change.stat.mtimeNs)
}

/** What a source makes of a file that it knows from elsewhere. */
function asMove(journal: Journal, folder: string, change: Change): Change {
  if (change.kind !== 'put') return change
  const isGone = (path: string): boolean =>
    statSync(join(folder, 'inbox', path), { bigint: true, throwIfNoEntry: false })?.ino !== change.stat.inode
  const from = journal.moves.whereabouts('inbox', change.stat).find((path) => path !== change.path && isGone(path))
  return from === undefined ? change : { ...change, kind: 'move', from }
}

function isNews(journal: Journal, change: Change): boolean {
  const record = journal.recordOf('inbox', change.path)
  if (!('stat' in change)) return record?.isPresent === true
  const known = journal.file('inbox', change.path)
  return (
    record?.isPresent !== true ||
    known?.inode !== change.stat.inode ||
    record.mtimeNs !== change.stat.mtimeNs ||
    record.size !== change.stat.size
  )
}

interface Copy {
  readonly hash: string
  readonly inode: bigint
}

function hashOf(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

/** Per target and path. */
function copiesIn(folder: string): ReadonlyMap<string, Copy> {
  const root = join(folder, 'copies')
  if (!existsSync(root)) return new Map()
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    files.map(({ parentPath, name }) => {
      const file = join(parentPath, name)
      const { ino } = statSync(file, { bigint: true })
      return [file.slice(root.length + 1), { hash: hashOf(readFileSync(file)), inode: ino }]
    }),
  )
}

/** Copies that were known when the life ended, as `target/path`. */
function receiptedIn(file: string): ReadonlySet<string> {
  if (!existsSync(file)) return new Set()
  const journal = new Database(file, { readonly: true })
  const isBegun = journal.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'receipt_left'").get() !== undefined
  const sql = "SELECT target.name || '/' || path FROM receipt JOIN target ON target.id = target_id"
  const receipted = new Set(isBegun ? journal.prepare<[], string>(sql).pluck().all() : [])
  journal.close()
  return receipted
}

function checkCopies(
  folder: string,
  before: ReadonlyMap<string, Copy>,
  receipted: { readonly then: ReadonlySet<string>; readonly now: ReadonlySet<string> },
): void {
  const after = copiesIn(folder)
  for (const name of names) {
    for (const path of paths) {
      const copy = after.get(`${name}/${path}`)
      const file = join(folder, 'inbox', path)
      const isMoved = renames.some(([, to]) => to === path)
      const versions = writes.filter((step) => isMoved || step.path === path).flatMap(({ content }) => content ?? [])
      if (existsSync(file)) expect(copy?.hash, `${name} has ${path}`).toBe(hashOf(readFileSync(file)))
      else if (copy !== undefined) expect(versions.map(hashOf), `${name} ${path} is a version`).toContain(copy.hash)
    }
  }
  const known = new Set(names.flatMap((name) => paths.map((path) => `${name}/${path}`)))
  // A copy that made room and whose file went before it could come back is kept beside its place, where that is another one's.
  const isKept = (path: string): boolean => /^nas\/.* \(kept [^)]*\)$/.test(path) && receipted.now.has(path)
  expect(
    [...after.keys()].filter((path) => !known.has(path) && !isTrash(path) && !isKept(path)),
    'nothing else lies at a target',
  ).toEqual([])
  const versions = writes.flatMap(({ content }) => (content === undefined ? [] : hashOf(content)))
  for (const [path, { hash }] of after) if (isTrash(path)) expect(versions, `${path} was whole`).toContain(hash)
  // Proven where its file was before that moved by copy, it has moved along, although copies are kept there.
  if (receipted.then.has('nas/music/film')) expect(after.has('nas/music/film'), 'the copy moved').toBe(false)
  for (const [path, { hash, inode }] of before) {
    if (path.includes('.fanfold') && !isTrash(path)) continue
    // What made room for another one is under a name of its own for a moment.
    if (path.includes('/fanfold-moves-')) continue
    const places = [after.get(path), moved(after, path, hash), inTrash(after, path, hash)].flatMap((one) => one ?? [])
    const alike = places.filter((one) => one.hash === hash)
    // Where it followed its file at once, a file of its content that came a moment later was sent.
    const copy = alike.find((one) => one.inode === inode) ?? alike[0] ?? places[0]
    expect(copy, `${path} is still there`).toBeDefined()
    // Of a copy that was never receipted nobody knows whose it is, once its file is elsewhere.
    const isKnown = receipted.then.has(path) || copy === after.get(path)
    if (copy?.hash === hash && isKnown)
      expect(copy.inode, `${path} was there already and is not sent again`).toBe(inode)
  }
}

function isTrash(path: string): boolean {
  return path.startsWith(`${follower}/.fanfold-trash/`)
}

/** Where a copy lies that moved with its file. */
function moved(copies: ReadonlyMap<string, Copy>, path: string, hash: string): Copy | undefined {
  const [target = '', ...rest] = path.split('/')
  if (!renames.some(([from]) => from === rest.join('/'))) return undefined
  return [...copies].find(
    ([other, copy]) => other.startsWith(`${target}/`) && !isTrash(other) && copy.hash === hash,
  )?.[1]
}

/** Where a copy that followed its file lies. */
function inTrash(copies: ReadonlyMap<string, Copy>, path: string, hash: string): Copy | undefined {
  if (!path.startsWith(`${follower}/`)) return undefined
  return [...copies].find(([other, copy]) => isTrash(other) && copy.hash === hash)?.[1]
}

interface ReceiptRow {
  readonly target: string
  readonly path: string
  readonly sha256: Buffer
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly isCurrent: bigint
}

function checkReceipts(folder: string, file: string, left: ReadonlySet<string>): void {
  const journal = new Database(file, { readonly: true })
  const receipts = journal
    .prepare<[], ReceiptRow>(
      `SELECT target.name AS target, path, receipt.sha256 AS sha256, receipt.size AS size, receipt.mtime_ns AS mtimeNs,
         file.seq = receipt.seq AND file.present = 1 AS isCurrent
       FROM receipt JOIN target ON target.id = target_id JOIN file ON file.id = file_id`,
    )
    .safeIntegers()
    .all()
  journal.close()
  for (const { target, path, sha256, size, mtimeNs } of receipts) {
    if (left.has(`${target}/${path}`)) continue
    const copy = join(folder, 'copies', target, path)
    const stat = statSync(copy, { bigint: true, throwIfNoEntry: false })
    expect(stat, `${target} has a receipt of ${path}`).toMatchObject({ size, mtimeNs })
    expect(hashOf(readFileSync(copy)), `receipt of ${target} ${path}`).toBe(sha256.toString('hex'))
    // What was never receipted is not known to be ours and stays.
    if (target === follower) expect(existsSync(join(folder, 'inbox', path)), `${target} gave ${path} up`).toBe(true)
  }
  const proven = receipts.filter(({ isCurrent }) => isCurrent === 1n).map(({ target, path }) => `${target}/${path}`)
  const present = paths.filter((path) => existsSync(join(folder, 'inbox', path)))
  const owed = names.flatMap((name) => present.map((path) => `${name}/${path}`))
  expect(proven.sort()).toEqual(owed.sort())
}

/** Strikes every `stride`-th point from `first` on until a life is a whole one. @returns how many points there are. */
export async function sweep(fate: Fate, first: number, stride: number): Promise<number> {
  makeMortal()
  const base = aFolder()
  // No end of a process depends on what a sync does, and a disk in memory has the cheap ones.
  if (canMount) smallDisk(base, 64)
  for (let atPoint = first; ; atPoint += stride) {
    const past = await firstLife(atPoint, fate, base)
    try {
      await nextLife(past)
    } catch (thrown) {
      throw new Error(`${fate} at ${past.life.lastPoint}: ${String(thrown)}`, { cause: thrown })
    }
    rmSync(past.folder, { recursive: true })
    if (!past.life.isStruck) return past.life.pointCount
  }
}
