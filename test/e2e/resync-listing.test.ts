/** A resync of many files, against every kind of target: it lists, and looks only where the listing does not prove. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { kindBenches, type KindBench } from './each-kind.ts'
import { fanfold, isAtRest, startDaemon, targetOf } from './rig.ts'

const files = 300
const folders = 3

function dropFiles(bench: KindBench): void {
  for (let n = 0; n < files; n++) {
    const folder = join(bench.inbox, `d${n % folders}`)
    if (n < folders) mkdirSync(folder)
    writeFileSync(join(folder, `f${n}`), `content ${n}`)
  }
}

test.each(Object.keys(kindBenches))(
  'F87: at %s a resync of many files sends exactly what is missing and different, by pages and not by files',
  async (kind) => {
    const bench = await kindBenches[kind]?.()
    if (bench === undefined) throw new Error(kind)
    dropFiles(bench)
    const daemon = await startDaemon(bench)
    await daemon.until((status) => isAtRest(status) && targetOf(status, 'cloud').delivered === files, 60_000)
    bench.remove('d0/f0')
    bench.write('d1/f1', 'spoiled by hand')
    bench.rename('d2/f2', 'renamed')
    const [requests, sent] = [bench.requests(), targetOf(await daemon.status(), 'cloud').bytesSent]

    const resync = await fanfold(bench, 'resync', '--wait')

    expect(resync.code, resync.stderr).toBe(0)
    for (const n of [0, 1, 2])
      expect(bench.read(`d${n}/f${n}`)).toBe(readFileSync(join(bench.inbox, `d${n}/f${n}`), 'utf8'))
    expect(targetOf(await daemon.status(), 'cloud').bytesSent - sent).toBe(3 * 'content 0'.length)
    expect(bench.requests() - requests).toBeLessThan(40)
    await daemon.end('SIGTERM')
  },
  120_000,
)
