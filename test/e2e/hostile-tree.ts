/** Folders full of names that Linux allows and clouds do not, with odd times; and trees as values, names as bytes. */
import { createHash } from 'node:crypto'
import { closeSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setMtimeNs } from '../../src/base/libc.ts'
import { decodeName, fsPath } from '../../src/base/path.ts'

/** Each is one file's name; `#` becomes its number. */
const names = [
  'plain #.txt',
  'caf\udce9 #',
  'new\nline #',
  'tab\t#',
  'colon: # "quoted" <x>|?*',
  'trailing dot #.',
  'trailing space # ',
  ' leading #',
  '~tilde # of nobody',
  'back\\slash #',
  'ü composed #',
  'u\u0308 decomposed #',
  '東京 # 🎏',
  '‛FE # ：',
  'percent %41 #',
  '-rf #',
  'Case #',
  'case #',
  'con.# x',
  'del\x7f #',
]
const foldersOf = ['', 'a', 'A', 'Ünder/deep er.', 'con/aux', 'caf\udce9/x']
const second = 1_000_000_000n

/** So many files, of small contents that all differ. */
export function dropHostileFiles(root: string, count: number): void {
  for (let n = 0; n < count; n++) {
    const folder = foldersOf[Math.floor(n / names.length) % foldersOf.length] ?? ''
    const name = (names[n % names.length] ?? '').replace('#', String(Math.floor(n / names.length / 2)))
    const path = [root, folder, `${Math.floor(n / 500)}`].filter((part) => part !== '').join('/')
    mkdirSync(fsPath(path), { recursive: true })
    const fd = openSync(fsPath(`${path}/${name}`), 'wx')
    writeFileSync(fd, n % 50 === 49 ? '' : `content of ${n}`)
    setMtimeNs(fd, 1_000_000_000n * second + BigInt(n) * 86_400n * second + BigInt(n) * 1_234_567n + 89n)
    closeSync(fd)
  }
}

/** Path -> content's hash and time, cut off to what can be kept. */
export function treeBytesOf(root: string, grain: bigint): ReadonlyMap<string, string> {
  const tree = new Map<string, string>()
  const walk = (below: string): void => {
    for (const bytes of readdirSync(fsPath(root + below), { encoding: 'buffer' })) {
      const path = `${below}/${decodeName(bytes)}`
      const stat = lstatSync(fsPath(root + path), { bigint: true })
      if (stat.isDirectory()) walk(path)
      else {
        const hash = createHash('sha256')
          .update(readFileSync(fsPath(root + path)))
          .digest('hex')
        tree.set(path, `${hash} ${stat.mtimeNs / grain}`)
      }
    }
  }
  walk('')
  return tree
}
