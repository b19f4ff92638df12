/** Test runner settings. Tests import `src/*.ts` and are given the compiled file, so that they prove what ships, threads included. */
import { existsSync } from 'node:fs'
import { defineConfig, type Plugin } from 'vitest/config'

const root = new URL('../../', import.meta.url).pathname
const sourceFolder = `${root}src/`
const builtFolder = `${root}dist/`

/** `main` needs nothing but Node; `system` Debian packages and root, which `.ci/run` sees to; `container` boots a Debian of its own, which takes minutes. */
const set = process.env['FANFOLD_TESTS'] ?? 'main'
const special = ['system', 'container']
/** Where results are left as JSON for the summary. */
const results = process.env['FANFOLD_RESULTS']

const builtInsteadOfSource: Plugin = {
  name: 'built-instead-of-source',
  enforce: 'pre',
  resolveId(id, importer) {
    if (importer === undefined || !id.startsWith('.') || !id.endsWith('.ts')) return undefined
    const path = new URL(id, `file://${importer}`).pathname
    if (!path.startsWith(sourceFolder)) return undefined
    const built = builtFolder + path.slice(sourceFolder.length).replace(/\.ts$/, '.js')
    if (!existsSync(built)) throw new Error(`${built} is missing; run "npm run build"`)
    return { id: built, external: true }
  },
}

export default defineConfig({
  root,
  plugins: [builtInsteadOfSource],
  test: {
    include: special.includes(set) ? [`test/${set}/**/*.test.ts`] : ['test/**/*.test.ts'],
    exclude: special.filter((name) => name !== set).map((name) => `test/${name}/**`),
    pool: 'forks',
    // Two cores are enough: of three tests at once one mostly waits for a server, a clock or a disk. More would make each of them late.
    maxWorkers: 3,
    // Limits of what is waited for end a test that would hang; how fast a thing is, is measured where it matters.
    testTimeout: 90_000,
    expect: { poll: { timeout: 20_000 } },
    // A tree of tens of thousands of files is removed behind its test, on a disk that others keep busy.
    hookTimeout: special.includes(set) ? 180_000 : 90_000,
    reporters: results === undefined ? ['default'] : ['default', ['json', { outputFile: `${results}/${set}.json` }]],
  },
})
