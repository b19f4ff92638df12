/** The doctor's look at the machine: watch limits against folders, the clock, free space. */
import { directoriesOf } from '../config/config.ts'
import { readdirSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../base/clock.ts'
import { isClockSynchronised } from '../base/libc.ts'
import { decodeName, fsPath } from '../base/path.ts'
import { showBytes, showDuration } from '../base/units.ts'
import { bad, good, warn, type Finding, type Patient } from './finding.ts'

/** Folders are counted for so long; what is left is guessed at by nobody. Unit: ms. */
const countMsMax = 20_000
/** Other programs of the same user watch folders too. */
const watchSparePart = 0.8
/** Events that the kernel keeps while we are busy; its default holds some 8,000 files. */
const queuedEventsMin = 16_384
/** Below it a journal of a million files can stop growing at any moment. Unit: bytes. */
const stateBytesMin = 256 * 2 ** 20
const targetBytesMin = 2 ** 30
/** Clocks of a file server may differ a little. Unit: ms. */
const aheadMsMax = 60_000

export function watchFindings({ config }: Patient): readonly Finding[] {
  const watched = config.sources.filter(({ watch }) => watch !== 'poll')
  const counts = watched.map(({ path }) => countFolders(path))
  const folders = counts.reduce((sum, { count }) => sum + count, 0)
  const isWhole = counts.every(({ isEnd }) => isEnd)
  const limit = limitOf('inotify/max_user_watches')
  const said = `${isWhole ? '' : 'at least '}${amount(folders, 'folder')} in ${amount(watched.length, 'source')}; ${limit} can be watched`
  const fix = (name: string, value: number): string =>
    `echo 'fs.inotify.${name} = ${value}' | sudo tee /etc/sysctl.d/60-fanfold-${name.replaceAll('_', '-')}.conf && sudo sysctl --system`
  const roomy = 2 ** Math.ceil(Math.log2(Math.max(folders, limit) * 2))
  const queued = limitOf('inotify/max_queued_events')
  return [
    folders > limit
      ? bad('watches', `${said}: the rest would be polled`, fix('max_user_watches', roomy))
      : folders > limit * watchSparePart
        ? warn('watches', `${said}: nearly all`, fix('max_user_watches', roomy))
        : good('watches', said),
    ...(queued < queuedEventsMin
      ? [
          warn(
            'watches',
            `the kernel keeps ${queued} events; a burst makes it drop some and everything is scanned`,
            fix('max_queued_events', queuedEventsMin),
          ),
        ]
      : []),
  ]
}

function amount(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

function limitOf(name: string): number {
  return Number(readFileSync(join('/proc/sys/fs', name), 'latin1'))
}

/** Folders below `path`, itself included, links not followed. Those that cannot be read are found by the look at permissions. */
function countFolders(path: string): { count: number; isEnd: boolean } {
  const startMs = systemClock.monotonicMs()
  const left = [path]
  let count = 0
  for (let folder = left.pop(); folder !== undefined; folder = left.pop()) {
    if (systemClock.monotonicMs() - startMs > countMsMax) return { count, isEnd: false }
    const below = foldersIn(folder)
    if (below === undefined) continue
    count++
    left.push(...below)
  }
  return { count, isEnd: true }
}

function foldersIn(folder: string): string[] | undefined {
  try {
    // Names as bytes, so that every folder can be entered.
    return readdirSync(fsPath(folder), { encoding: 'buffer', withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(folder, decodeName(name)))
  } catch {
    // Absent or out of reach: not watched either.
    return undefined
  }
}

export function clockFindings({ config }: Patient): readonly Finding[] {
  const aheadMs = journalMs(config.state) - systemClock.wallMs()
  if (aheadMs > aheadMsMax)
    return [
      bad('clock', `the clock was set back: the journal was written ${showDuration(aheadMs)} in the future`, setClock),
    ]
  return [
    isClockSynchronised()
      ? good('clock', 'synchronised')
      : warn('clock', 'not synchronised with another one: logins and times of files depend on it', setClock),
  ]
}

const setClock = 'sudo timedatectl set-ntp true'

/** When the journal was last written; 0 where there is none. */
function journalMs(state: string): number {
  try {
    return statSync(join(state, 'journal.sqlite')).mtimeMs
  } catch {
    return 0
  }
}

export function spaceFindings({ config }: Patient): readonly Finding[] {
  const places = [
    { title: 'the state folder', path: config.state, bytesMin: stateBytesMin },
    ...directoriesOf(config).map(({ name, path }) => ({ title: `target ${name}`, path, bytesMin: targetBytesMin })),
  ]
  return places.flatMap(({ title, path, bytesMin }) => {
    const space = spaceAt(path)
    if (space === undefined) return []
    const said = `${title}: ${showBytes(space.freeBytes)} free`
    const fix = `make room on the disk of ${path}; Fanfold waits and goes on by itself`
    if (space.isOutOfFiles) return [bad('space', `${title}: no file can be made (no free inodes)`, fix)]
    return [space.freeBytes < bytesMin ? warn('space', said, fix) : good('space', said)]
  })
}

/** undefined for a folder that is not there: that is told elsewhere. */
function spaceAt(path: string): { freeBytes: number; isOutOfFiles: boolean } | undefined {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(path)
    // Some file systems count no files at all.
    return { freeBytes: bavail * bsize, isOutOfFiles: files > 0 && ffree === 0 }
  } catch {
    return undefined
  }
}
