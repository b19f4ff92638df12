// Joins the compiled modules and the small libraries they load at every start into a few files: finding and reading hundreds of them takes
// longer than most commands. What is native, large or seldom needed stays a package of its own. The modules themselves stay beside it, for tests.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const root = fileURLToPath(new URL('../../', import.meta.url))
const dist = join(root, 'dist')
const bundle = join(dist, 'bundle')
/** Loaded at every start, with what they are made of. */
const joined = new Set([
  '@hono/node-server',
  'ansi-regex',
  'commander',
  'eventemitter3',
  'get-east-asian-width',
  'hono',
  'ignore',
  'p-queue',
  'p-timeout',
  'string-width',
  'strip-ansi',
  'yaml',
  'zod',
])

function packageOf(id) {
  const [first, second] = id.split('/')
  return first.startsWith('@') ? `${first}/${second}` : first
}

function isPackage(id) {
  return !id.startsWith('.') && !id.startsWith('/') && !id.startsWith('node:')
}

/** Threads are found beside the module that starts them, so that they stand beside the joined ones, too. */
function threads() {
  const others = ['base', 'bundle']
  return readdirSync(dist, { recursive: true }).filter(
    (path) => path.endsWith('-thread.js') && !others.includes(path.split('/')[0]),
  )
}

/** Whoever passes others' work on passes on its licence. */
function licences(chunks) {
  const inside = new Set()
  for (const { moduleIds = [] } of chunks) {
    for (const id of moduleIds) {
      const at = id.lastIndexOf('/node_modules/')
      if (at >= 0) inside.add(packageOf(id.slice(at + '/node_modules/'.length)))
    }
  }
  return [...inside].sort().map((name) => {
    const folder = join(root, 'node_modules', name)
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
    if (file === undefined) throw new Error(`${name} names no licence; it cannot be joined`)
    return `${name}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`
  })
}

rmSync(bundle, { recursive: true, force: true })
const entries = ['main.js', ...threads()].map((path) => [basename(path, '.js'), join(dist, path)])
const build = await rolldown({
  input: Object.fromEntries(entries),
  platform: 'node',
  external: (id) => id.startsWith('node:') || (isPackage(id) && !joined.has(packageOf(id))),
})
const { output } = await build.write({
  dir: bundle,
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
})
await build.close()
writeFileSync(join(bundle, 'LICENCES.txt'), licences(output).join(`\n${'-'.repeat(80)}\n\n`))
writeFileSync(join(dist, 'main.js'), "#!/usr/bin/env node\nimport './bundle/main.js'\n")
