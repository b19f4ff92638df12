import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { remotePath } from '../../src/base/path.ts'
import {
  verification,
  type Difference,
  type Finding,
  type Tally,
  type VerifyWish,
} from '../../src/pipeline/pipeline.ts'
import { directoryTarget } from '../../src/target/directory/directory.ts'
import type { Target } from '../../src/target/target.ts'
import { aWorld, forwarded, type World } from './rig.ts'

const never = new AbortController().signal
const all: VerifyWish = { source: null, glob: null, reads: () => false, repair: false }

async function delivered(world: World, count: number): Promise<void> {
  await vi.waitFor(
    () => expect(world.journal.counts(world.seat('nas').targetId)).toMatchObject({ delivered: count, waiting: 0 }),
    30_000,
  )
}

async function aWorldOf(paths: readonly string[]): Promise<World> {
  const world = await aWorld({ targets: ['nas'] })
  for (const path of paths) await world.put(path, `content of ${path}`)
  await delivered(world, paths.length)
  return world
}

async function verified(
  world: World,
  wish: Partial<VerifyWish> = {},
  wrap: (target: Target) => Target = (target) => target,
  folder = '',
  onFinding: (finding: Finding) => void = () => {},
): Promise<{ differences: readonly Difference[]; tally: Tally }> {
  const inner = directoryTarget({ name: 'nas', root: world.copies('nas'), log: silentLog, clock: systemClock })
  const target = wrap(inner)
  await target.open(world.journal.target('nas').mark ?? undefined, never)
  const differences: Difference[] = []
  let tally: Tally | undefined
  const { order, lane } = world.seat('nas')
  const onOwed = (): void => lane?.nudge()
  const common = { journal: world.journal, clock: systemClock, name: 'nas', order, onOwed }
  const parts = { ...common, target, folder: remotePath(folder) }
  try {
    for await (const finding of verification({ ...all, ...wish }, parts, never)) {
      onFinding(finding)
      if (finding.kind === 'difference') differences.push(finding.difference)
      if (finding.kind === 'tally') ({ tally } = finding)
    }
  } finally {
    await target.close()
  }
  if (tally === undefined) throw new Error('it ended without a tally')
  return { differences, tally }
}

function kindsAt(differences: readonly Difference[]): readonly string[] {
  return differences.map(({ kind, at, foundAt }) => `${kind} ${at}${foundAt === null ? '' : ` ${foundAt}`}`).sort()
}

test('a target that holds what was delivered has no differences', async () => {
  const world = await aWorldOf(['a', 'b/c'])

  const { differences, tally } = await verified(world)

  expect(differences).toEqual([])
  expect(tally).toMatchObject({ checked: 2, owed: 0, listed: 2, bytesRead: 0 })
})

test('F80: what is missing, different, renamed and extra is named exactly, and a repair makes it as it was', async () => {
  const world = await aWorldOf(['gone', 'changed', 'sub/named', 'fine'])
  const nas = world.copies('nas')
  rmSync(join(nas, 'gone'))
  writeFileSync(join(nas, 'changed'), 'by somebody')
  renameSync(join(nas, 'sub/named'), join(nas, 'sub/otherwise'))
  writeFileSync(join(nas, 'stranger'), 'x')
  const { ino } = statSync(join(nas, 'sub/otherwise'))

  const found = await verified(world, { repair: true })
  await delivered(world, 4)
  const healed = await verified(world)

  expect(kindsAt(found.differences)).toEqual([
    'different changed',
    'extra stranger stranger',
    'missing gone',
    'renamed sub/named sub/otherwise',
  ])
  expect(found.tally).toMatchObject({ checked: 4, repaired: 3 })
  expect(kindsAt(healed.differences)).toEqual(['extra stranger stranger'])
  expect(readFileSync(join(nas, 'changed'), 'utf8')).toBe('content of changed')
  // It was moved back, not sent again.
  expect(statSync(join(nas, 'sub/named')).ino).toBe(ino)
  const events = world.journal.history(null, 100).filter(({ event }) => event === 'repair')
  expect(events.map(({ path }) => path).sort()).toEqual(['changed', 'gone', 'sub/named'])
})

test('F80: what was owed again is delivered, although whoever asked went away before all was compared', async () => {
  const world = await aWorldOf(['gone', 'fine'])
  rmSync(join(world.copies('nas'), 'gone'))
  const leave = (finding: Finding): void => {
    if (finding.kind === 'progress' && finding.phase === 'comparing') throw new Error('killed')
  }

  await expect(verified(world, { repair: true }, undefined, '', leave)).rejects.toThrow('killed')
  await delivered(world, 2)

  expect(readFileSync(join(world.copies('nas'), 'gone'), 'utf8')).toBe('content of gone')
})

test('a copy of which only the times were changed is the same', async () => {
  const world = await aWorldOf(['a'])
  chmodSync(join(world.copies('nas'), 'a'), 0o600)
  utimesSync(join(world.copies('nas'), 'a'), 1, 1)

  const { differences } = await verified(world)

  expect(differences).toEqual([])
})

test('content that rotted without a trace is found by reading, and put right', async () => {
  const world = await aWorldOf(['a', 'b'])
  const copy = join(world.copies('nas'), 'a')
  const flip = (target: Target): Target => ({
    ...forwarded(target),
    async get(entry, range, signal) {
      const content = await target.get(entry, range, signal)
      if (entry.path === 'a') content.once('data', (chunk: Buffer) => chunk.fill(0x78))
      return content
    },
  })

  const quick = await verified(world, {}, flip)
  const thorough = await verified(world, { reads: () => true }, flip)

  expect(quick.differences).toEqual([])
  expect(kindsAt(thorough.differences)).toEqual(['different a'])
  expect(thorough.tally.bytesRead).toBe(statSync(copy).size * 2)
})

test('a document that its provider rewrote as it came in is told, and is no difference', async () => {
  const larger = <T extends { readonly size: number }>(held: T): T => ({ ...held, size: held.size + 5 })
  const rewriting = (target: Target): Target => ({
    ...forwarded(target),
    put: async (copy, at, work, signal) => larger(await target.put(copy, at, work, signal)),
    async *list(under, want, signal) {
      for await (const entry of target.list(under, want, signal)) yield larger(entry)
    },
  })
  const world = await aWorld({ targets: ['nas'], wrap: rewriting })
  await world.put('report.docx', 'content')
  await delivered(world, 1)

  const { differences, tally } = await verified(world, { reads: () => true, repair: true }, rewriting)

  expect(kindsAt(differences)).toEqual(['altered report.docx'])
  expect(tally).toMatchObject({ checked: 1, repaired: 0, bytesRead: 0 })
})

describe('judges nobody', () => {
  test('whose copy is owed, or kept although its file is gone', async () => {
    const world = await aWorldOf(['a', 'b'])
    rmSync(join(world.copies('nas'), 'b'))
    await world.remove('b')
    world.seat('nas').lane?.hold('a test')
    await world.put('a', 'newer')

    const { differences, tally } = await verified(world)

    expect(differences).toEqual([])
    expect(tally).toMatchObject({ checked: 0, owed: 1, owedBytes: 5 })
  })

  test('F63: by a listing alone, which may lag behind', async () => {
    const world = await aWorldOf(['a', 'b'])
    const lagging = (target: Target): Target => ({
      ...forwarded(target),
      async *list(under, want, signal) {
        for await (const entry of target.list(under, want, signal)) if (entry.path !== 'a') yield entry
      },
    })

    const { differences } = await verified(world, {}, lagging)

    expect(differences).toEqual([])
  })

  test('F81: what another Fanfold keeps beside it at the same target', async () => {
    const world = await aWorldOf(['a'])
    for (const name of ['other', 'here']) mkdirSync(join(world.copies('nas'), name))
    for (const path of ['other/x', 'other/.fanfold-owner', 'here/.fanfold-owner', 'here/y'])
      writeFileSync(join(world.copies('nas'), path), 'x')

    const { differences } = await verified(world, {}, (target) => target, 'here')

    expect(kindsAt(differences)).toEqual(['extra here/y here/y'])
  })

  test('outside of the part that was asked about', async () => {
    const world = await aWorldOf(['a.pdf', 'b.txt'])
    for (const name of ['a.pdf', 'b.txt']) rmSync(join(world.copies('nas'), name))
    writeFileSync(join(world.copies('nas'), 'stranger'), 'x')

    const { differences } = await verified(world, { glob: '*.pdf' })

    expect(kindsAt(differences)).toEqual(['missing a.pdf'])
  })
})
