/** Runs every example of the room's README as it stands there. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript'
import * as stage from '../../src/stage/stage.ts'

const readme = readFileSync(new URL('../../src/stage/README.md', import.meta.url), 'utf8')
const examples = [...readme.matchAll(/```ts\n(.*?)```/gs)].map((match, at) => [at + 1, match[1] ?? ''] as const)

test.each(examples)('example %i of the README runs and its assertions hold', async (_, code) => {
  const options = { module: ModuleKind.ESNext, target: ScriptTarget.ES2022 }
  const { outputText } = transpileModule(`export async function run() {\n${code}}`, { compilerOptions: options })
  const names = Object.keys(stage)
  const body = outputText.replace('export async function run()', 'return async function run()')

  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the code stands in our own README
  const run = Reflect.apply(new Function('assert', ...names, body), undefined, [
    assert,
    ...Object.values(stage),
  ]) as () => Promise<void>

  await run()
})

test('every function of the room has an example', () => {
  const code = examples.map(([, example]) => example).join('')

  const missing = Object.keys(stage).filter((name) => !code.includes(`${name}(`) && !code.includes(`${name}<`))

  expect(missing).toEqual([])
})
