/** The emulators as a program: prints one line of JSON with all that a client needs, and runs until it is told to stop. */
import { fstatSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type DriveType, type EmulatorsOptions, type ProviderName, providerNames, startEmulators } from './emulators.ts'

const usage = `usage: npm run emulator -- ${providerNames.join('|')}|all --dir DIR [--drive-type personal|business] [--check]`

/** A command line that cannot be obeyed. */
class UsageFault extends Error {}

function optionsOf(words: readonly string[]): EmulatorsOptions {
  const { values, positionals } = parsed(words)
  if (values.dir === undefined) throw new UsageFault('--dir is missing')
  if (positionals.length === 0) throw new UsageFault('name a provider, or all')
  return {
    folder: resolve(values.dir),
    names: positionals.includes('all') ? providerNames : positionals.map(providerName),
    driveType: driveType(values['drive-type']),
    checksAnswers: values.check,
  }
}

function parsed(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        dir: { type: 'string' },
        'drive-type': { type: 'string', default: 'personal' },
        check: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UsageFault(error instanceof Error ? error.message : String(error))
  }
}

function providerName(word: string): ProviderName {
  const found = providerNames.find((name) => name === word)
  if (found === undefined) throw new UsageFault(`no emulator of "${word}"; there are: ${providerNames.join(', ')}`)
  return found
}

function driveType(word: string): DriveType {
  if (word === 'personal' || word === 'business') return word
  throw new UsageFault(`--drive-type: expected personal or business, got "${word}"`)
}

/** Resolves on TERM and INT, and when a parent that holds our standard input open is gone. */
function toldToStop(): Promise<void> {
  return new Promise((resolveStop) => {
    process.once('SIGTERM', () => resolveStop())
    process.once('SIGINT', () => resolveStop())
    // Only a pipe tells of a parent: /dev/null is at its end from the start, a terminal belongs to others too.
    const input = fstatSync(0)
    if (!input.isFIFO() && !input.isSocket()) return
    process.stdin.on('end', () => resolveStop())
    process.stdin.on('error', () => resolveStop())
    process.stdin.resume()
  })
}

try {
  const running = await startEmulators(optionsOf(process.argv.slice(2)))
  process.stdout.write(`${JSON.stringify(running.card)}\n`)
  await toldToStop()
  await running.stop()
  process.exit(0)
} catch (error) {
  if (!(error instanceof UsageFault)) throw error
  process.stderr.write(`${error.message}\n${usage}\n`)
  process.exit(2)
}
