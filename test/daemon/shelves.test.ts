/** Targets lent for reading, without a daemon and beside one. */
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { remotePath } from '../../src/base/path.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { systemRandom } from '../../src/base/random.ts'
import { readConfig } from '../../src/config/config.ts'
import { startDaemon } from '../../src/daemon/daemon.ts'
import { openShelves, type OwnShelves } from '../../src/daemon/shelves.ts'
import type { ReadableTarget } from '../../src/target/target.ts'
import { aBench, type Bench } from '../e2e/rig.ts'

const never = new AbortController().signal
const options = { log: () => silentLog, clock: systemClock, random: systemRandom }

function ownShelves(bench: Bench): OwnShelves {
  const own = openShelves(readConfig(bench.config), options)
  onTestFinished(() => own.close())
  return own
}

async function pathsAt(target: ReadableTarget): Promise<string[]> {
  const paths: string[] = []
  for await (const { path } of target.list(remotePath(''), { hash: false }, never)) paths.push(path)
  return paths.sort()
}

test('a directory is read without a journal, and nothing is made there or in the state directory', async () => {
  const bench = aBench({ nas: '' })
  mkdirSync(join(bench.copies('nas'), 'a'), { recursive: true })
  writeFileSync(join(bench.copies('nas'), 'a/b'), 'content')
  chmodSync(bench.copies('nas'), 0o555)
  onTestFinished(() => chmodSync(bench.copies('nas'), 0o755))
  const { shelves, journal } = ownShelves(bench)

  const shelf = await shelves.take('nas', never)
  const entry = await shelf.target.look(remotePath('a/b'), { hash: false }, never)
  const content = entry && (await text(await shelf.target.get(entry, { start: 3 }, never)))
  shelf.release()

  expect(content).toBe('tent')
  expect(journal).toBeUndefined()
  expect(readdirSync(bench.copies('nas'))).toEqual(['a'])
  expect(existsSync(join(bench.folder, 'state'))).toBe(false)
})

test('a directory that is not there is told and not made', async () => {
  const bench = aBench({ nas: '' })
  const { shelves } = ownShelves(bench)

  await expect(shelves.take('nas', never)).rejects.toThrow(/copies\/nas/)
  await expect(shelves.take('nass', never)).rejects.toThrow(/no target is named "nass"; there are: nas/)

  expect(existsSync(bench.copies('nas'))).toBe(false)
})

test('several readers at once have one target, which is opened anew once it failed', async () => {
  const bench = aBench({ nas: '' })
  const { shelves } = ownShelves(bench)
  await expect(shelves.take('nas', never)).rejects.toThrow()
  mkdirSync(bench.copies('nas'), { recursive: true })
  writeFileSync(join(bench.copies('nas'), 'x'), 'x')

  const [one, other] = await Promise.all([shelves.take('nas', never), shelves.take('nas', never)])
  one.release()

  expect(one.target).toBe(other.target)
  expect(await pathsAt(other.target)).toEqual(['x'])
})

test('a daemon keeps its state directory to itself, and what it holds is there after it', async () => {
  const bench = aBench({ nas: '' })
  writeFileSync(join(bench.inbox, 'x'), 'x')
  const config = readConfig(bench.config)
  const daemon = await startDaemon(config, options, never)
  await daemon.idle(never)

  expect(() => openShelves(config, options)).toThrow(/another Fanfold/)
  await daemon.stop()
  const { shelves, journal } = ownShelves(bench)

  expect(journal?.target('nas').mark).not.toBeNull()
  expect(await pathsAt((await shelves.take('nas', never)).target)).toEqual(['x'])
})
