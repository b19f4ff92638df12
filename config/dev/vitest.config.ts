/** Test runner settings. Tests import `src/*.ts` and are given the compiled file, so that they prove what ships, threads included. */
import { existsSync } from 'node:fs'
import { defineConfig, type Plugin } from 'vitest/config'

const root = new URL('../../', import.meta.url).pathname
const sourceFolder = `${root}src/`
const builtFolder = `${root}dist/`

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
    include: ['test/**/*.test.ts'],
    exclude: process.env['FANFOLD_SYSTEM_TESTS'] === '1' ? [] : ['test/system/**'],
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: ['default'],
  },
})
