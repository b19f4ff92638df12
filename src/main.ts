#!/usr/bin/env node
/** The program: arguments in, exit code out. */
import { runCli } from './cli/cli.ts'

// A reader that had enough (`fanfold history | head`) is no failure; without a listener it would be reported as a crash.
process.stdout.on('error', () => process.exit(0))

const code = await runCli()
// A pipe takes what is printed as fast as its reader reads, so the end waits until it took all; no forgotten handle keeps a stopped daemon alive beyond that.
await new Promise((resolve) => process.stdout.write('', resolve))
process.exit(code)
