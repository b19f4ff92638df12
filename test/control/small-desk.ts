/** A desk with a few facts that remembers what it was asked. */
import { Readable } from 'node:stream'
import { remotePath } from '../../src/base/path.ts'
import { AskError, type Desk, type ResyncRequest, type Status } from '../../src/control/control.ts'
import type { Wanted } from '../../src/restore/restore.ts'

export function aStatus(changes: Partial<Status> = {}): Status {
  return {
    healthy: true,
    reasons: [],
    causes: [],
    oldestMs: null,
    journal: { state: 'open', reason: null },
    sources: [
      {
        name: 'papers',
        state: 'watching',
        files: 1204,
        watched: 12,
        reason: null,
        settling: 0,
        removalsHeld: false,
        lastScanMs: 60_000,
      },
    ],
    targets: [aLane()],
    accounts: [],
    ...changes,
  }
}

export function aLane(changes: Partial<Status['targets'][number]> = {}): Status['targets'][number] {
  return {
    name: 'nas',
    kind: 'directory',
    state: 'running',
    waiting: 0,
    active: 0,
    delivered: 1204,
    parked: 0,
    leaving: 0,
    bytesWaiting: 0,
    oldestMs: null,
    reason: null,
    offering: 0,
    listing: null,
    verified: null,
    altered: 0,
    bytesSent: 0,
    sending: [],
    failed: [],
    requests: null,
    space: null,
    ...changes,
  }
}

/** With a name that is no UTF-8 and numbers that JSON has no place for. */
export function aWanted(): Wanted {
  const mtimeNs = 1_700_000_000_123_456_789n
  const entry = { remoteId: '7', revision: 'r', size: 7, mtimeNs, sha256: undefined, contentHash: undefined }
  const copies = [{ target: 'nas', entry: { ...entry, path: remotePath('papers/caf\udce9.txt') } }]
  return { source: 'papers', path: 'caf\udce9.txt', size: 7, mtimeNs, sha256: null, copies }
}

export interface SmallDesk extends Desk {
  now: Status
  readonly asked: unknown[]
}

export function smallDesk(now: Status = aStatus()): SmallDesk {
  const asked: unknown[] = []
  return {
    now,
    asked,
    status() {
      asked.push('status')
      return this.now
    },
    resync(request: ResyncRequest) {
      asked.push(request)
      if (request.targets.includes('nowhere')) throw new AskError('there is no target "nowhere"; known here: nas')
      return { offered: [{ target: 'nas', files: 3 }] }
    },
    retry(targets) {
      asked.push(targets)
      if (targets.includes('broken')) throw new Error('the journal is on fire')
      return { retried: 2 }
    },
    why(path) {
      asked.push(path)
      if (path === 'nothing.txt') return []
      const lane = { target: 'nas', state: 'parked', reason: 'EACCES', attempts: 2, nextTryMs: null, at: null }
      return [{ source: 'papers', path, file: 'present', reason: '', size: 5, sha256: null, targets: [lane] }]
    },
    history(path, limit) {
      asked.push([path, limit])
      const line = { source: 'papers', path: 'a.txt', target: 'nas' }
      return [
        { ...line, at: '2026-11-20T10:00:01.000Z', event: 'delivered', detail: '5 bytes' },
        { ...line, at: '2026-11-20T10:00:00.000Z', event: 'retry', detail: 'EIO' },
      ]
    },
    async *verify(request) {
      asked.push(request)
      await Promise.resolve()
      yield { kind: 'progress', target: 'nas', phase: 'comparing', done: 1 }
      if (request.targets.includes('nowhere')) throw new AskError('no target is named "nowhere"; there are: nas')
    },
    parked(target, limit) {
      asked.push(['parked', target, limit])
      const line = { source: 'papers', path: 'a.txt', size: 5, reason: 'EACCES; allow it', attempts: 2 }
      return [{ ...line, ageMs: 60_000, nextTryMs: null }]
    },
    hold(targets) {
      asked.push(['hold', targets])
      return { targets }
    },
    takeOver(targets) {
      asked.push(['takeOver', targets])
      return { targets }
    },
    resume(targets) {
      asked.push(['resume', targets])
      return { targets }
    },
    approve(source) {
      asked.push(['approve', source])
      return { source, wasHeld: true, mounts: [], copies: 3 }
    },
    reload() {
      asked.push('reload')
      return Promise.resolve({ changes: ['target nas added'] })
    },
    login(asked) {
      this.asked.push(['login', asked])
      const begun = { ticket: 't', address: 'https://consent.example', userCode: null, againInMs: null, endsInMs: 1000 }
      return Promise.resolve({ ...begun, manner: asked.manner, reason: null })
    },
    answerLogin(ticket, text) {
      asked.push(['answer', ticket, text])
      return Promise.resolve({ kind: 'done', account: 'main', user: 'anna' })
    },
    checkLogin(account) {
      asked.push(['check', account])
      return Promise.resolve({ account, user: 'anna', endsAt: null, notice: null, isSealed: false })
    },
    logout(account) {
      asked.push(['logout', account])
      return Promise.resolve({ account, left: null })
    },
    async *restorable(wish) {
      asked.push(['restorable', wish])
      yield await Promise.resolve({ kind: 'begin' as const, isBare: false, targets: ['nas'], files: 1 })
      yield { kind: 'file' as const, file: aWanted() }
    },
    readCopy(copy, start) {
      asked.push(['read', copy, start])
      return Promise.resolve(Readable.from([Buffer.from('content').subarray(start)]))
    },
    plan() {
      asked.push('plan')
      const nothing = { files: 0, bytes: 0 }
      const nas = { name: 'nas', isNew: true, isElsewhere: false, enter: { files: 3, bytes: 30 }, leave: nothing }
      return Promise.resolve({
        targets: [{ ...nas, move: nothing, durationMs: null }],
        removedTargets: ['old'],
        newSources: [],
        removedSources: [],
      })
    },
  }
}
