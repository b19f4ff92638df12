/** Large files on their way to clouds and back: how they are made, and what they cost the program that carries them. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Bench, fanfold } from '../e2e/rig.ts'

const mebibyte = 2 ** 20

/** A file of which no two pages are alike. Answers its sha256. @param hash of the cloud's kind, told of all its bytes, too. */
export async function fill(path: string, bytes: number, hash: { update(piece: Buffer): unknown }): Promise<string> {
  await using file = await open(path, 'w')
  const sha256 = createHash('sha256')
  const piece = Buffer.alloc(4 * mebibyte)
  for (let at = 0; at < bytes; at += piece.length) {
    for (let place = 0; place < piece.length; place += 4096) piece.writeUInt32LE((at + place) / 4096, place)
    sha256.update(piece)
    hash.update(piece)
    await file.write(piece)
  }
  return sha256.digest('hex')
}

export function rssBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

/** Reads `large` below the target's folder with a process of its own. */
export async function downloaded(
  cloud: string,
  url: string,
  token: string,
): Promise<{ readonly grownBytes: number; readonly sha256: string }> {
  const program = fileURLToPath(new URL('cloud-download.mjs', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [program, cloud, url, token, 'large'])
  return JSON.parse(stdout) as { grownBytes: number; sha256: string }
}

/** Whether a run of the program until it is idle loads a package that is CommonJS. */
export async function isLoaded(bench: Bench, name: string): Promise<boolean> {
  const look = join(bench.folder, 'look.cjs')
  const told = join(bench.folder, 'loaded.json')
  // What is CommonJS is in this list however it was imported.
  const line = `require('fs').writeFileSync(${JSON.stringify(told)}, JSON.stringify(Object.keys(require('module')._cache)))`
  writeFileSync(look, `process.on('exit', () => { ${line} })\n`)
  process.env['NODE_OPTIONS'] = `--require ${look}`
  try {
    const { code, stderr } = await fanfold(bench, 'run', '--until-idle')
    if (code !== 0) throw new Error(stderr)
  } finally {
    delete process.env['NODE_OPTIONS']
  }
  return readFileSync(told, 'utf8').includes(`node_modules/${name}/`)
}

/** The same program with a directory in the place of its clouds. */
export function withoutClouds(bench: Bench): void {
  const head = readFileSync(bench.config, 'utf8').split('targets:')[0] ?? ''
  writeFileSync(bench.config, `${head}targets:\n  - { name: disk, kind: directory, path: ./copies }\n`)
}
