// Brings a clone to the point where its scripts can run: installs from the lock file, builds; does nothing where nothing is missing.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Fanfold needs Node 20.19 or newer; this is Node ${process.versions.node}.`)
  process.exit(1)
}

/** Hash of files' names and bytes: time stamps say nothing after a checkout. */
function fingerprint(paths) {
  const hash = createHash('sha256').update(process.versions.modules)
  for (const path of paths)
    hash
      .update(path)
      .update('\0')
      .update(readFileSync(join(root, path)))
  return hash.digest('hex')
}

function once(stampFile, wanted, what, work) {
  const stamp = join(root, stampFile)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  console.error(`fanfold: ${what} …`)
  work()
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, wanted)
}

function npm(...words) {
  // A native package that has no ready-made binary for this machine is compiled; Node's own headers spare node-gyp a download.
  const prefix = dirname(dirname(process.execPath))
  const headers = existsSync(join(prefix, 'include/node/node.h')) ? { npm_config_nodedir: prefix } : {}
  // What has to be compiled is compiled on all cores.
  execFileSync('npm', words, { cwd: root, stdio: ['ignore', 2, 2], env: { JOBS: 'max', ...headers, ...process.env } })
}

function filesBelow(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
    .sort()
}

function compile(project) {
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
}

once(
  'node_modules/.fanfold-installed',
  fingerprint(['package-lock.json']),
  'installing packages (once; a minute or two)',
  () => {
    npm('ci', '--no-audit', '--no-fund')
  },
)
// What runs in a browser knows other things than Node.
const pageProject = 'config/dev/tsconfig.page.json'
once(
  'dist/.fanfold-built',
  fingerprint([...['tsconfig.json', pageProject, 'package-lock.json', 'config/dev/bundle.mjs'], ...filesBelow('src')]),
  'building',
  () => {
    rmSync(join(root, 'dist'), { recursive: true, force: true })
    compile('tsconfig.json')
    compile(pageProject)
    execFileSync(process.execPath, [join(root, 'config/dev/bundle.mjs')], { cwd: root, stdio: ['ignore', 2, 2] })
  },
)

// Only who runs the emulators as a program needs them built; tests of the same process take them as they are.
if (process.argv.includes('emulator')) {
  const project = 'config/dev/tsconfig.emulator.json'
  const built = 'test/emulator/dist/'
  const sources = filesBelow('test/emulator').filter((path) => !path.startsWith(built) && !path.endsWith('.test.ts'))
  once(`${built}.built`, fingerprint([project, 'tsconfig.json', ...sources]), 'building the emulators', () => {
    rmSync(join(root, built), { recursive: true, force: true })
    compile(project)
    for (const path of sources.filter((source) => source.endsWith('.json'))) {
      cpSync(join(root, path), join(root, path.replace('test/emulator/', built)))
    }
  })
}
