/** House rules that no tool knows. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../', import.meta.url))

function filesBelow(folder: string, ending: string): { path: string; text: string }[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: path.slice(root.length), text: readFileSync(path, 'utf8') }))
}

const sources = filesBelow('src', '.ts')

test('each file of src opens with a sentence that says what it owns', () => {
  const silent = sources.filter(({ text }) => !/^(#!.*\n)?\/\*\*(?!\n \*\/)/.test(text))

  expect(silent.map(({ path }) => path)).toEqual([])
})

test('SQL stands in the journal only', () => {
  const sql = /\b(SELECT\s+.+\s+FROM|INSERT\s+INTO|DELETE\s+FROM|CREATE\s+TABLE)\b/
  const strangers = sources.filter(({ path, text }) => !path.startsWith('src/journal/') && sql.test(text))

  expect(strangers.map(({ path }) => path)).toEqual([])
})

test('no drawers, no forbidden names of files and classes', () => {
  const drawer = /(^|\/)(utils?|helpers?|types|common|lib|interfaces|misc)\.ts$/
  const named = /\b(class|interface) \w*(Manager|Handler|Service|Util|Helper|Info|Data)\b/
  const wrong = sources.filter(({ path, text }) => drawer.test(path) || named.test(text))

  expect(wrong.map(({ path }) => path)).toEqual([])
})

test('nothing is switched off without its reason, nothing is left for later', () => {
  const all = [...sources, ...filesBelow('test', '.ts').filter(({ path }) => path !== 'test/tidy.test.ts')]
  const wrong = all.flatMap(({ path, text }) =>
    text
      .split('\n')
      .filter((line) =>
        /\b(TODO|FIXME|XXX)\b|@ts-(ignore|nocheck|expect-error)|eslint-disable(?!.* -- )|\.(only|todo)\(/.test(line),
      )
      .map((line) => `${path}: ${line.trim()}`),
  )

  expect(wrong).toEqual([])
})
