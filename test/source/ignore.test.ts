import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ignore from 'ignore'
import { afterEach, describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import { sourcePath } from '../../src/base/path.ts'
import { builtInRules, IgnoreRules } from '../../src/source/ignore-rules.ts'
import { aSeed } from '../builders.ts'
import { aWorld, atRest, endWorlds, until } from './world.ts'

afterEach(endWorlds)

function write(root: string, paths: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(paths)) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}

describe('ignore rules', () => {
  test('F22, F28: unfinished downloads and side files are left out unless a rule takes them back', async () => {
    const world = await aWorld({ ignore: ['*.bak', '!keep.tmp'] })

    write(world.root, {
      'a.tmp': '',
      '~$a.docx': '',
      'a.part': '',
      '.~lock.a#': '',
      'a.bak': '',
      'keep.tmp': '',
      'a.txt': '',
    })
    await until(() => world.ledger.paths.length === 2)
    await atRest(world)

    expect(world.ledger.paths).toEqual(['a.txt', 'keep.tmp'])
  })

  test('the deepest ignore file that matches decides, and negation brings files back', async () => {
    const world = await aWorld({
      ignore: ['*.log'],
      before: (root) => {
        write(root, {
          '.fanfoldignore': 'build/\n/top-only\n',
          'deep/.fanfoldignore': '!keep.log\n!build/\n',
          ...{ 'x.log': '', 'top-only': '', 'build/x': '' },
          ...{ 'deep/x.log': '', 'deep/keep.log': '', 'deep/top-only': '', 'deep/build/x': '' },
        })
      },
    })
    await atRest(world, 500)

    expect(world.ledger.paths).toEqual(
      ['.fanfoldignore', 'deep/.fanfoldignore', 'deep/build/x', 'deep/keep.log', 'deep/top-only'].sort(),
    )
  })

  test('ignored folders are neither watched nor walked', async () => {
    const world = await aWorld({
      ignore: ['node_modules/'],
      before: (root) => write(root, { 'node_modules/a/b/c': '', 'src/a': '' }),
    })

    mkdirSync(join(world.root, 'src/node_modules/x'), { recursive: true })
    writeFileSync(join(world.root, 'src/b'), '')
    await until(() => world.ledger.paths.length === 2)
    await atRest(world)

    expect(world.source.state().watched).toBe(2)
    expect(world.ledger.paths).toEqual(['src/a', 'src/b'])
  })

  test('an edited ignore file holds at once, and what it newly ignores is not removed while it exists', async () => {
    const world = await aWorld({ before: (root) => write(root, { 'old.dat': '', 'logs/a': '' }) })
    await until(() => world.ledger.paths.length === 2)

    writeFileSync(join(world.root, '.fanfoldignore'), '*.dat\nlogs/\n')
    await until(() => world.source.state().watched === 1)
    write(world.root, { 'new.dat': '', 'logs/b': '', other: '' })
    await until(() => world.ledger.paths.includes('other'))
    await atRest(world, 500)
    const withRules = world.ledger.paths
    rmSync(join(world.root, '.fanfoldignore'))
    await until(() => world.ledger.paths.includes('new.dat') && world.ledger.paths.includes('logs/b'))

    expect(withRules).toEqual(['.fanfoldignore', 'logs/a', 'old.dat', 'other'])
    expect(world.source.state().watched).toBe(2)
  })

  test('an ignored file that was known and is gone is removed', async () => {
    const world = await aWorld({ before: (root) => write(root, { 'old.dat': '', a: '' }) })
    await until(() => world.ledger.paths.length === 2)
    writeFileSync(join(world.root, '.fanfoldignore'), '*.dat\n')
    await until(() => world.ledger.paths.length === 3)

    rmSync(join(world.root, 'old.dat'))

    await until(() => !world.ledger.paths.includes('old.dat'))
  })

  test('whyIgnored names the rule and where it stands', async () => {
    const world = await aWorld({ ignore: ['*.bak'], before: (root) => write(root, { 'a/.fanfoldignore': 'x*\n' }) })
    const why = (path: string): unknown => world.source.whyIgnored(sourcePath(path))

    expect(why('b.bak')).toEqual({ rule: '*.bak', where: 'configuration' })
    expect(why('b.part')).toEqual({ rule: '*.part', where: 'built-in' })
    expect(why('a/xyz/deep')).toEqual({ rule: 'x*', where: 'a/.fanfoldignore' })
    expect(why('xyz')).toBeUndefined()
  })

  test('F17: names that are no UTF-8 go through the rules unharmed', async () => {
    const world = await aWorld({ ignore: ['*.bak'] })

    expect(world.source.whyIgnored('a\udcff.bak' as ReturnType<typeof sourcePath>)?.rule).toBe('*.bak')
    expect(world.source.whyIgnored('\udcff/ \\odd' as ReturnType<typeof sourcePath>)).toBeUndefined()
  })
})

test('plain rules are answered without asking the whole list, and never otherwise than by it', () => {
  const configured = ['*.bak', 'core', 'a*b*c', '#x', 'x#', 'Ä.txt', '!b.part', '*~']
  const seed = aSeed()
  const random = seededRandom(seed)
  const pieces = [
    '.part',
    '.tmp',
    '~$',
    '.~lock.',
    '#',
    '.#',
    '4913',
    'a',
    'b',
    'c',
    '.bak',
    'core',
    '\n',
    'Ä.txt',
    '~',
    '.swp',
  ]
  for (const lines of [configured, ['*.bak', 'core', 'a*b*c'], []]) {
    const rules = new IgnoreRules('/nonexistent', lines)
    const whole = ignore({ ignorecase: false, allowRelativePaths: true }).add([...builtInRules, ...lines])
    for (let n = 0; n < 500; n++) {
      const count = 1 + Math.floor(random() * 3)
      const name = Array.from({ length: count }, () => pieces[Math.floor(random() * pieces.length)]).join('')

      const isIgnored = rules.whyInside(`d/${name}`, false) !== undefined

      expect(isIgnored, `seed ${seed}: ${JSON.stringify(name)} by ${lines.join(' ')}`).toBe(whole.ignores(`d/${name}`))
    }
  }
})
