/** A real tree of more than 10,000 files, judged by programs that are not ours: rclone and diff. */
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { aBench, fanfold } from '../e2e/rig.ts'

const targets = {
  everything: '',
  packed: "select: { include: ['**/*.gz'] }",
  little: 'select: { max-size: 4KiB }',
  lean: "select: { exclude: ['copyright'] }",
}

/** rclone's own selection of the same files. Its --max-size is exclusive of nothing, as ours. */
const asRcloneSelects: Readonly<Record<keyof typeof targets, readonly string[]>> = {
  everything: [],
  packed: ['--include', '*.gz'],
  little: ['--max-size', '4Ki'],
  lean: ['--exclude', 'copyright', '--exclude', 'copyright/**'],
}

function countFiles(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length
}

test('four selectors over a real tree: rclone finds each target equal by hash, a second run is short and sends nothing', async () => {
  const bench = aBench(targets)
  const trees = ['/usr/share/doc', '/usr/include', '/usr/lib/python3', '/usr/share/perl']
  for (const tree of trees) {
    execFileSync('sh', [
      '-c',
      `[ ! -d ${tree} ] || cp -r --no-dereference --preserve=timestamps ${tree} ${bench.inbox}/$(basename ${tree})`,
    ])
  }
  for (let copy = 0; countFiles(bench.inbox) < 10_000; copy++) {
    execFileSync('cp', ['-r', '--no-dereference', '/usr/share/doc', join(bench.inbox, `again-${copy}`)])
  }

  const startMs = performance.now()
  const first = await fanfold(bench, 'run', '--until-idle')
  const firstMs = performance.now() - startMs
  const second = await fanfold(bench, 'run', '--until-idle')
  const secondMs = performance.now() - startMs - firstMs

  expect(first.code, first.stdout + first.stderr).toBe(0)
  expect(second.code).toBe(0)
  expect(secondMs, `first ${firstMs} ms, second ${secondMs} ms`).toBeLessThan(firstMs / 5)
  for (const [name, words] of Object.entries(asRcloneSelects)) {
    const judge = ['check', bench.inbox, bench.copies(name), '--skip-links', '--config', '/dev/null', ...words]
    execFileSync('rclone', judge, { stdio: 'pipe' })
    expect(readdirSync(bench.copies(name)).filter((entry) => entry.startsWith('.'))).toEqual([])
  }
  const differences = execFileSync('sh', [
    '-c',
    `diff -r --no-dereference ${bench.inbox} ${bench.copies('everything')} || true`,
  ])
  const real = differences
    .toString()
    .split('\n')
    .filter((line) => line !== '' && !isLinkOrEmpty(line))
  expect(real).toEqual([])
}, 300_000)

/** Links are not copied, nor are folders that hold nothing but links. */
function isLinkOrEmpty(line: string): boolean {
  const only = /^Only in (.*): (.*)$/.exec(line)
  if (only?.[1] === undefined || only[2] === undefined) return false
  const path = join(only[1], only[2])
  return execFileSync('find', [path, '-type', 'f']).length === 0
}
