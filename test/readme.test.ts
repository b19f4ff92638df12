/** README's words are run: its configuration as it stands there (below another root), its commands in their order. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parseConfig } from '../src/config/config.ts'
import { aFolder } from './builders.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const run = promisify(execFile)

function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map((match) => match[1] ?? '')
}

const commands = blocks('sh').flatMap((block) => block.trim().split('\n'))
/** Run by the system tests, on a fresh clone. */
const runElsewhere = ['npm start', 'npm test', 'npm install --global .']

test('every command of README is run here or on a fresh clone', () => {
  const unknown = commands.filter((command) => !command.startsWith('fanfold ') && !runElsewhere.includes(command))

  expect(unknown).toEqual([])
  expect(commands.filter((command) => command.startsWith('fanfold ')).length).toBeGreaterThan(5)
})

test('README’s configuration and its commands work as they stand there', async () => {
  const folder = aFolder()
  const [config] = blocks('yaml')
  writeFileSync(
    join(folder, 'fanfold.yaml'),
    (config ?? '').replaceAll(/: \/(var|srv|mnt|media)\//g, `: ${folder}/$1/`),
  )
  mkdirSync(join(folder, 'srv/papers/draft'), { recursive: true })
  for (const name of ['letter.pdf', 'notes.txt', 'old.bak', 'draft/new.pdf'])
    writeFileSync(join(folder, 'srv/papers', name), name)

  const said: string[] = []
  for (const command of commands.filter((line) => line.startsWith('fanfold '))) {
    const [, ...words] = command.split(' ')
    const ended = await run(process.execPath, [join(root, 'dist/main.js'), ...words], { cwd: folder }).catch(
      (thrown: unknown) => thrown as { code: number; stdout: string; stderr: string },
    )
    said.push(`${command} -> ${'code' in ended ? ended.code : 0}\n${ended.stdout}${ended.stderr}`)
  }

  // `status` without a running daemon ends with 1, all others with 0.
  const failed = said.filter((line) => !line.includes(`-> ${line.startsWith('fanfold status') ? 1 : 0}\n`))
  expect(failed).toEqual([])
  expect(existsSync(join(folder, 'mnt/nas/archive/papers/notes.txt'))).toBe(true)
  expect(existsSync(join(folder, 'mnt/nas/archive/papers/old.bak'))).toBe(false)
  expect(existsSync(join(folder, 'media/stick/papers/papers/letter.pdf'))).toBe(true)
  expect(existsSync(join(folder, 'media/stick/papers/papers/draft/new.pdf'))).toBe(false)
})

test('README’s recipes are accepted as they stand there', () => {
  const [first = '', ...others] = blocks('yaml')
  // What is no whole configuration joins the first one.
  const whole = others.map((text) => (text.startsWith('state:') ? text : first + text))

  const targets = whole.map((text) => parseConfig('/etc/fanfold/fanfold.yaml', text).targets.length)

  expect(targets).toEqual([2, 2, 2, 2])
})

test('the promise’s proofs that README names exist', () => {
  const named = [...readme.matchAll(/`(test\/[^`]+\.ts)`/g)].map((match) => match[1] ?? '')

  expect(named.length).toBeGreaterThan(6)
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([])
})
