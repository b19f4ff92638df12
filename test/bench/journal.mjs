// The journal beside plain SQLite in the same run: npm run bench -- journal [--rows N]. Ratios say more than the figures of a busy machine.
import Database from 'better-sqlite3'
import { mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../dist/base/clock.js'
import { openJournal } from '../../dist/journal/journal.js'

const targetNames = ['a', 'b', 'c', 'd']
const batch = 200
const claimed = 100

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
/** Neighbours on the same cores change how long work takes, and hardly how much processor time it needs. */
const stopwatch = () => ({ startMs: performance.now(), cpu: process.cpuUsage() })
const rate = (count, { startMs, cpu }) => {
  const { user, system } = process.cpuUsage(cpu)
  return { wall: (count * 1000) / (performance.now() - startMs), cpu: (count * 1e6) / (user + system) }
}
const thousands = (value) => Math.round(value).toLocaleString('en')

/** What a journal cannot do without: one row a file, four deliveries, an index to claim by. No counters, receipts, history. */
function plain(file) {
  const connection = new Database(file)
  connection.pragma('journal_mode = WAL')
  connection.pragma('synchronous = FULL')
  connection.pragma('foreign_keys = ON')
  connection.exec(`
    CREATE TABLE file (id INTEGER PRIMARY KEY, root INTEGER, path TEXT, size INTEGER, mtime INTEGER, state INTEGER,
      sha256 BLOB, sha1 BLOB, md5 BLOB, UNIQUE (root, path));
    CREATE INDEX file_state ON file (state);
    CREATE TABLE delivery (id INTEGER PRIMARY KEY, file_id INTEGER REFERENCES file (id), target INTEGER, state INTEGER, due INTEGER,
      attempts INTEGER, UNIQUE (file_id, target));
    CREATE INDEX delivery_due ON delivery (target, state, due);
  `)
  const addFile = connection.prepare(
    'INSERT INTO file (root, path, size, mtime, state, sha256, sha1, md5) VALUES (1, ?, 4096, 1, 0, ?, ?, ?)',
  )
  const addDelivery = connection.prepare(
    'INSERT INTO delivery (file_id, target, state, due, attempts) VALUES (?, ?, 0, 0, 0)',
  )
  const [sha256, sha1, md5] = [Buffer.alloc(32, 1), Buffer.alloc(20, 2), Buffer.alloc(16, 3)]
  const record = connection.transaction((from, to) => {
    for (let n = from; n < to; n++) {
      const id = addFile.run(`d${Math.floor(n / 100)}/file-${n}`, sha256, sha1, md5).lastInsertRowid
      for (let target = 1; target <= 4; target++) addDelivery.run(id, target)
    }
  })
  const find = connection.prepare(
    'SELECT delivery.id, file.path FROM delivery JOIN file ON file.id = file_id WHERE target = ? AND delivery.state = 0 ORDER BY due LIMIT ?',
  )
  const mark = connection.prepare('UPDATE delivery SET state = ? WHERE id = ?')
  const claim = connection.transaction((target) => {
    const rows = find.all(target, claimed)
    for (const { id } of rows) mark.run(1, id)
    return rows
  })
  const acknowledge = connection.transaction((rows) => {
    for (const { id } of rows) mark.run(2, id)
  })
  return { record, claim, acknowledge, close: () => connection.close() }
}

function opened(file) {
  const { journal } = openJournal(file, systemClock)
  return {
    journal,
    ids: targetNames.map(
      (name) => journal.declareTarget(name, { kind: 'directory', selector: 'all', place: '/mnt' }).id,
    ),
  }
}

function changes(from, to) {
  return Array.from({ length: to - from }, (_, index) => {
    const n = from + index
    const stat = {
      size: 4096,
      mtimeNs: 1_700_000_000_123_456_789n,
      ctimeNs: 1_700_000_000_123_456_789n,
      inode: BigInt(n),
    }
    return { kind: 'put', source: 'bench', path: `d${Math.floor(n / 100)}/file-${n}`, stat }
  })
}

async function pay(journal, targetId, count) {
  const deliveries = journal.claim(targetId, count)
  const sha256 = 'ab'.repeat(32)
  await Promise.all(
    deliveries.map((delivery) => {
      const { path, size, mtimeNs } = delivery
      const receipt = { path, remoteId: '7', revision: 'r1', size, sha256, mtimeNs }
      return journal.finish(delivery, { kind: 'delivered', receipt, crc32: 7, sent: true })
    }),
  )
  return deliveries.length
}

/** Longest time that one synchronous verb kept the main loop. */
function timed(worst, name, work) {
  const startMs = performance.now()
  const answer = work()
  worst[name] = Math.max(worst[name] ?? 0, performance.now() - startMs)
  return answer
}

export async function journalBench(folder, rows, runs) {
  const files = Math.max(batch, Math.floor(rows / 4))
  const rates = { plainRecord: [], record: [], plainClaim: [], claim: [] }
  const worst = {}
  mkdirSync(folder, { recursive: true })
  const plainFile = join(folder, 'plain.sqlite')
  const ourFile = join(folder, 'journal.sqlite')
  const raw = plain(plainFile)
  let { journal, ids } = opened(ourFile)
  const step = Math.ceil(files / runs / batch) * batch
  for (let from = 0; from < files; from += step) {
    const to = Math.min(files, from + step)
    let watch = stopwatch()
    for (let at = from; at < to; at += batch) raw.record(at, Math.min(to, at + batch))
    rates.plainRecord.push(rate(to - from, watch))
    const made = []
    for (let at = from; at < to; at += batch) made.push(changes(at, Math.min(to, at + batch)))
    watch = stopwatch()
    for (const part of made) timed(worst, 'record', () => journal.record(part, () => ids))
    rates.record.push(rate(to - from, watch))
  }
  const paid = Math.min(files, 10_000)
  const loop = []
  let lastMs = performance.now()
  const beat = setInterval(() => {
    loop.push(performance.now() - lastMs - 1)
    lastMs = performance.now()
  }, 1)
  for (const [index, targetId] of ids.entries()) {
    let watch = stopwatch()
    for (let done = 0; done < paid; done += claimed) {
      timed({}, 'claim', () => raw.acknowledge(raw.claim(index + 1)))
    }
    rates.plainClaim.push(rate(paid, watch))
    lastMs = performance.now()
    watch = stopwatch()
    // Four groups under way at once, as four lanes would have.
    let done = 0
    const payer = async () => {
      while (done < paid) {
        done += claimed
        await pay(journal, targetId, claimed)
      }
    }
    await Promise.all([payer(), payer(), payer(), payer()])
    rates.claim.push(rate(paid, watch))
  }
  clearInterval(beat)
  journal.close()
  raw.close()
  const bytesPerFile = statSync(ourFile).size / files
  const plainBytesPerFile = statSync(plainFile).size / files
  const openMs = []
  for (let n = 0; n < 3; n++) {
    const startMs = performance.now()
    ;({ journal, ids } = opened(ourFile))
    openMs.push(performance.now() - startMs)
    timed(worst, 'claim', () => journal.claim(ids[0], claimed))
    journal.close()
  }
  rmSync(folder, { recursive: true, force: true })
  const line = (what, mine, its, unit) => [what, thousands(mine), thousands(its), (mine / its).toFixed(2), unit]
  const rateLines = (what, mine, its, unit) =>
    ['wall', 'cpu'].map((kind) => {
      const of = (taken) => median(taken.map((one) => one[kind]))
      return line(
        kind === 'wall' ? what : '',
        of(mine),
        of(its),
        kind === 'wall' ? `${unit}/s` : `${unit}/s of processor time`,
      )
    })
  return [
    [`${thousands(files)} files, ${thousands(files * 4)} deliveries`, 'journal', 'plain SQLite', 'ratio', ''],
    ...rateLines('recorded, 200 a transaction', rates.record, rates.plainRecord, 'changes'),
    ...rateLines('claimed and finished, 100 at once', rates.claim, rates.plainClaim, 'deliveries'),
    line('size of the file', bytesPerFile, plainBytesPerFile, 'bytes a file'),
    ['open (median)', median(openMs).toFixed(1), '', '', 'ms'],
    ['longest record of 200', worst.record.toFixed(1), '', 'goal < 50', 'ms'],
    ['longest claim of 100', worst.claim.toFixed(1), '', 'goal < 50', 'ms'],
    ['longest turn of the main loop while finishing', Math.max(0, ...loop).toFixed(1), '', 'goal < 50', 'ms'],
  ]
}
