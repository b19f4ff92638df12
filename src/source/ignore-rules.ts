/**
 * Which paths of one source are left out: built-in rules, then the configuration's, then every `.fanfoldignore` on the way down,
 * the deepest rule that matches deciding, as git does it. Reads those files itself; whoever walks asks for a folder first and
 * does not go into one that is ignored.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs'
import ignore, { type Ignore } from 'ignore'
import { errnoOf } from '../base/errors.ts'
import { folderOf, fsPath, joinPath, nameOf } from '../base/path.ts'

export const ignoreFileName = '.fanfoldignore'

/** Unfinished downloads and editors' side files. `!*.tmp` in the configuration or an ignore file takes one back. */
export const builtInRules: readonly string[] = [
  ...['*.part', '*.partial', '*.crdownload', '*.tmp', '*.download', '*.filepart'],
  ...['~$*', '.~lock.*#', '.#*', '*.swp', '*.swx', '4913', '.goutputstream-*', '*.osl-tmp', '.DS_Store', 'Thumbs.db'],
]

/** Bytes read of one ignore file: beyond it stands no list that a person keeps. */
const ignoreFileBytesMax = 256 * 1024
/** Folders whose rules are kept: a few hundred bytes each. */
const foldersMax = 10_000
/** Questions to one compiled list before it is compiled anew, because it keeps an entry for each path it was asked. */
const questionsMax = 10_000

export interface IgnoredBecause {
  readonly rule: string
  /** `built-in`, `configuration`, or the ignore file's path below the root. */
  readonly where: string
}

type Answer = { readonly kind: 'ignored'; readonly rule: string } | { readonly kind: 'kept' } | undefined

/** One list of rules and the folder it counts from. */
class RuleList {
  readonly where: string
  readonly #folder: string
  readonly #lines: readonly string[]
  /** Where all rules are about names: what a name has to look like for any of them to match. Asking the list costs as much as the file's stat. */
  readonly #names: RegExp | undefined
  #compiled: Ignore
  #questionCount = 0

  constructor(where: string, folder: string, lines: readonly string[]) {
    this.where = where
    this.#folder = folder
    this.#lines = lines
    this.#names = namesOf(lines)
    this.#compiled = compile(lines)
  }

  answer(path: string, isFolder: boolean): Answer {
    if (this.#names?.test(nameOf(path)) === false) return undefined
    const below = this.#folder === '' ? path : path.slice(this.#folder.length + 1)
    const answer = this.#test(isFolder ? `${below}/` : below)
    if (!answer.ignored) return answer.unignored ? { kind: 'kept' } : undefined
    // The list also answers "ignored" for what lies in a folder that it ignores. Whoever asks is inside of that folder because a
    // deeper list took the folder back, so this answer says nothing about the path itself.
    const folder = folderOf(below)
    if (folder !== '' && this.#test(`${folder}/`).ignored) return undefined
    return { kind: 'ignored', rule: answer.rule?.pattern ?? '' }
  }

  #test(path: string): ReturnType<Ignore['test']> {
    if (++this.#questionCount % questionsMax === 0) this.#compiled = compile(this.#lines)
    return this.#compiled.test(path)
  }
}

/** One expression for plain rules, of characters and `*` alone; undefined where one of them says more than that. */
function namesOf(lines: readonly string[]): RegExp | undefined {
  const rules = lines.filter((line) => line.trim() !== '')
  if (!rules.every((rule) => /^[\w.~$%@+=,*-][\w.~$%@+=,*#-]*$/.test(rule))) return undefined
  const patterns = rules.map((rule) => rule.replace(/[.$+]/g, '\\$&').replace(/\*+/g, '[^]*'))
  return new RegExp(`^(?:${patterns.join('|')})$`)
}

function compile(lines: readonly string[]): Ignore {
  // Names on Linux differ by case, and a path that the package finds odd is still a path here.
  return ignore({ ignorecase: false, allowRelativePaths: true }).add(lines)
}

type Kept = { stamp: string; list: RuleList | undefined; round: number }

export class IgnoreRules {
  readonly #root: string
  readonly #fixed: readonly RuleList[]
  readonly #byFolder = new Map<string, Kept>()
  #round = 0

  constructor(root: string, configured: readonly string[]) {
    this.#root = root
    this.#fixed = [new RuleList('configuration', '', configured), new RuleList('built-in', '', builtInRules)]
  }

  /** Begins a round of questions: ignore files are looked at again, once per folder and round. */
  refresh(): void {
    this.#round++
  }

  /** Why `path` is left out, its folders included; undefined where it is not. */
  why(path: string, isFolder: boolean): IgnoredBecause | undefined {
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
      const because = this.whyInside(path.slice(0, slash), true)
      if (because !== undefined) return because
    }
    return this.whyInside(path, isFolder)
  }

  /** The same for a path of whose folder it is known that it is not ignored. */
  whyInside(path: string, isFolder: boolean): IgnoredBecause | undefined {
    for (let folder = folderOf(path); ; folder = folderOf(folder)) {
      const list = this.#listOf(folder)
      const answer = list?.answer(path, isFolder)
      if (list !== undefined && answer !== undefined) return becauseOf(list, answer)
      if (folder === '') break
    }
    for (const list of this.#fixed) {
      const answer = list.answer(path, isFolder)
      if (answer !== undefined) return becauseOf(list, answer)
    }
    return undefined
  }

  #listOf(folder: string): RuleList | undefined {
    const kept = this.#byFolder.get(folder)
    if (kept?.round === this.#round) return kept.list
    const file = joinPath(folder, ignoreFileName)
    const stamp = stampOf(`${this.#root}/${file}`)
    const list = kept?.stamp === stamp ? kept.list : this.#read(folder, file, stamp)
    if (this.#byFolder.size >= foldersMax) this.#byFolder.clear()
    this.#byFolder.set(folder, { stamp, list, round: this.#round })
    return list
  }

  #read(folder: string, file: string, stamp: string): RuleList | undefined {
    if (stamp === '') return undefined
    const text = readStart(`${this.#root}/${file}`)
    return text === undefined ? undefined : new RuleList(file, folder, text.split(/\r?\n/))
  }
}

function becauseOf(list: RuleList, answer: NonNullable<Answer>): IgnoredBecause | undefined {
  return answer.kind === 'ignored' ? { rule: answer.rule, where: list.where } : undefined
}

/** Changes whenever the file does; '' where there is none to read. */
function stampOf(path: string): string {
  try {
    const stat = lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false })
    return stat?.isFile() === true ? `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}` : ''
  } catch (thrown) {
    // A file that cannot be looked at gives no rules; the folder around it is reported as unreadable by whoever reads that.
    if (errnoOf(thrown) !== undefined) return ''
    throw thrown
  }
}

/** The first bytes of a regular file as text. Never waits, should a FIFO have taken the name meanwhile. */
function readStart(path: string): string | undefined {
  let fd: number | undefined
  try {
    fd = openSync(fsPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stat = fstatSync(fd)
    if (!stat.isFile()) return undefined
    const bytes = Buffer.alloc(Math.min(stat.size, ignoreFileBytesMax))
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, 0))
  } catch (thrown) {
    if (errnoOf(thrown) !== undefined) return undefined
    throw thrown
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}
