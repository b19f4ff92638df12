/** Sources and their threads as children of supervisors: what falls is started afresh, and no other source notices. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { SourcePath } from '../../src/base/path.ts'
import type { Change, KnownFile, Source } from '../../src/source/source.ts'
import { startedThreads } from '../started-threads.ts'
import { aWorld, atRest, endWorlds, Ledger, tempFolder, until, type World } from './world.ts'

afterEach(endWorlds)

/** A ledger of which one file cannot be looked up for some time, as in a journal with a damaged page. */
class DamagedLedger extends Ledger {
  faults = 0

  override file(source: string, path: SourcePath): KnownFile | undefined {
    if (path !== 'cursed' || this.faults-- <= 0) return super.file(source, path)
    throw new Error('database disk image is malformed')
  }
}

/** A ledger whose next call can be held. */
class HeldLedger extends Ledger {
  #held: Promise<void> = Promise.resolve()
  callsUnderWay = 0

  hold(): () => void {
    let release = (): void => {}
    this.#held = new Promise((resolve) => (release = resolve))
    return release
  }

  override async take(changes: readonly Change[]): Promise<void> {
    this.callsUnderWay++
    await this.#held
    await super.take(changes)
    this.callsUnderWay--
  }
}

function addAnother(world: World, name: string): Promise<Source> {
  const path = tempFolder()
  writeFileSync(join(path, `${name} old`), '1')
  const rest = {
    settleMs: 300,
    unsettledMsMax: 600_000,
    unsettled: 'wait',
    oneFileSystem: false,
    checkWriters: false,
    rescanMs: 3_600_000,
  } as const
  return world.sources.add({ name, path, ignore: [], ...rest, watch: 'auto' })
}

function events(world: World): string[] {
  return world.notes.map(({ source, event }) => `${source} ${event}`)
}

describe('F18: a thread that died', () => {
  test('the watch thread: what happened while it was dead is found by a scan, what happens after that by the new watch', async () => {
    const threads = startedThreads()
    const world = await aWorld()
    const [watch] = threads
    if (watch === undefined) throw new Error('no watch thread')

    const dying = watch.terminate()
    writeFileSync(join(world.root, 'during'), '1')
    await dying
    await until(() => world.ledger.paths.includes('during'))
    await until(() => world.source.state().state === 'watching')
    writeFileSync(join(world.root, 'after'), '1')
    await until(() => world.ledger.paths.includes('after'))

    expect(events(world)).toEqual(['papers watch-restarted'])
    expect(threads.length).toBe(3)
  })

  test('the scan thread: every root is opened and scanned again, and nothing counts as removed', async () => {
    const threads = startedThreads()
    const world = await aWorld({ before: (root) => writeFileSync(join(root, 'a'), '1') })
    await until(() => world.ledger.paths.length === 1)
    const firstScanMs = world.source.state().lastScanMonotonicMs

    await threads[1]?.terminate()
    await until(() => world.source.state().lastScanMonotonicMs !== firstScanMs)
    writeFileSync(join(world.root, 'b'), '1')
    await until(() => world.ledger.paths.length === 2)
    await atRest(world, 400)

    expect(world.ledger.lines).toEqual(['put a', 'put b'])
    expect(events(world)).toEqual(['papers scan-thread-restarted', 'papers root-found'])
    expect(world.source.state().state).toBe('watching')
  })

  test('one that dies again and again is started after a growing pause, and what is written meanwhile is found', async () => {
    const threads = startedThreads()
    const world = await aWorld()
    for (let life = 0; life < 2; life++) {
      await until(() => threads[life + 1] !== undefined)
      await threads[life + 1]?.terminate()
    }
    const startMs = performance.now()
    writeFileSync(join(world.root, 'a'), '1')

    await until(() => world.ledger.paths.includes('a'))

    expect(performance.now() - startMs).toBeGreaterThan(500)
    expect(world.source.state().state).not.toBe('restarting')
  })
})

describe('a source that fails', () => {
  test('says so, is started afresh after a pause, and scans everything; no other source notices', async () => {
    const ledger = new DamagedLedger()
    const world = await aWorld({ ledger })
    const other = await addAnother(world, 'other')
    await other.firstScan
    const otherScanMs = other.state().lastScanMonotonicMs
    ledger.faults = 1

    writeFileSync(join(world.root, 'cursed'), '1')
    await until(() => world.source.state().state === 'restarting')
    const { reason } = world.source.state()
    writeFileSync(join(world.root, 'meanwhile'), '1')
    await until(() => ledger.paths.includes('cursed') && ledger.paths.includes('meanwhile'))

    expect(reason).toContain('database disk image is malformed')
    expect(events(world)).toEqual(['papers source-restarted'])
    expect(other.state()).toMatchObject({ state: 'watching', lastScanMonotonicMs: otherScanMs })
    await until(() => world.source.state().state === 'watching')
  })

  test('again and again, it is started after pauses that double', async () => {
    const ledger = new DamagedLedger()
    const world = await aWorld({ ledger })
    const pausesMs: number[] = []

    for (let fall = 0; fall < 2; fall++) {
      ledger.faults = 1
      writeFileSync(join(world.root, 'cursed'), `${fall}`)
      await until(() => world.source.state().state === 'restarting')
      const fellMs = performance.now()
      await until(() => world.source.state().state === 'watching')
      pausesMs.push(performance.now() - fellMs)
    }

    expect(pausesMs[0]).toBeGreaterThanOrEqual(990)
    expect(pausesMs[1]).toBeGreaterThanOrEqual(1_990)
  })

  test('while it is restarted, it is not idle, refuses a rescan and can be removed', async () => {
    const ledger = new DamagedLedger()
    const world = await aWorld({ ledger })
    ledger.faults = 1
    writeFileSync(join(world.root, 'cursed'), '1')
    await until(() => world.source.state().state === 'restarting')

    const isIdle = world.source.isIdle()
    const rescan = world.source.rescan('test')

    await expect(rescan).rejects.toThrow('source papers cannot be scanned now; it is being restarted')
    expect(isIdle).toBe(false)
    await world.sources.remove('papers')
    expect(world.sources.all).toEqual([])
  })
})

describe('at run time', () => {
  test('adding and removing a source touches no other', async () => {
    const threads = startedThreads()
    const world = await aWorld()
    const scanMs = world.source.state().lastScanMonotonicMs

    const other = await addAnother(world, 'other')
    await until(() => world.ledger.paths.includes('other old'))
    await world.sources.remove('other')
    writeFileSync(join(world.root, 'a'), '1')
    await until(() => world.ledger.paths.includes('a'))

    expect(world.source.state()).toMatchObject({ state: 'watching', lastScanMonotonicMs: scanMs })
    expect(world.sources.all).toEqual([world.source])
    await other.firstScan
    expect([events(world), threads.length]).toEqual([[], 2])
  })

  test('a name that is there already is refused', async () => {
    const world = await aWorld()

    await expect(addAnother(world, 'papers')).rejects.toThrow('source papers is there already')

    expect(existsSync(world.root)).toBe(true)
    expect(world.source.state().state).toBe('watching')
  })
})

describe('D6: take, persist, acknowledge', () => {
  test('what changes while its change is being taken is neither lost nor handed on in a second call meanwhile', async () => {
    const ledger = new HeldLedger()
    const world = await aWorld({ ledger })
    const release = ledger.hold()
    writeFileSync(join(world.root, 'a'), '1')
    await until(() => ledger.callsUnderWay === 1)

    writeFileSync(join(world.root, 'a'), '22')
    writeFileSync(join(world.root, 'b'), '1')
    await new Promise((resolve) => setTimeout(resolve, 100))
    const callsMeanwhile = ledger.callsUnderWay
    const isIdleMeanwhile = world.source.isIdle()
    release()
    await until(() => ledger.lines.length === 3)
    await atRest(world)

    expect([callsMeanwhile, isIdleMeanwhile]).toEqual([1, false])
    expect(ledger.lines.sort()).toEqual(['put a', 'put a', 'put b'])
    expect(ledger.file('papers', 'a' as SourcePath)?.size).toBe(2)
  })

  test('stopping waits for what is being taken', async () => {
    const ledger = new HeldLedger()
    const world = await aWorld({ ledger, before: (root) => mkdirSync(join(root, 'folder')) })
    const release = ledger.hold()
    writeFileSync(join(world.root, 'a'), '1')
    await until(() => ledger.callsUnderWay === 1)

    const stopping = world.stop()
    setTimeout(release, 50)
    await stopping

    expect([ledger.callsUnderWay, ledger.lines]).toEqual([0, ['put a']])
  })
})
