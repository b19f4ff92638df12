// A process that records and delivers as fast as it can and says what it was promised, until somebody kills it.
import { openJournal } from '../../dist/journal/journal.js'
import { systemClock } from '../../dist/base/clock.js'

const { journal } = openJournal(process.argv[2], systemClock)
const target = journal.target('nas').id
const say = (line) => process.stdout.write(line + '\n')
for (let n = 1; ; n++) {
  const stat = { size: n, mtimeNs: 1n, ctimeNs: 1n, inode: BigInt(n) }
  journal.record([{ kind: 'put', source: 'papers', path: `d${n % 7}/f${n}`, stat }], () => [target])
  say(`recorded ${n}`)
  for (const delivery of journal.claim(target, 2)) {
    const receipt = {
      path: delivery.path,
      remoteId: '1',
      revision: 'r',
      size: delivery.size,
      sha256: 'ab'.repeat(32),
      mtimeNs: 1n,
    }
    await journal.finish(delivery, { kind: 'delivered', receipt, crc32: 1, sent: true })
    say(`kept ${delivery.path}`)
  }
}
