#!/usr/bin/env node
/** The program: arguments in, exit code out. */
import { runCli } from './cli/cli.ts'

// A reader that had enough (`fanfold history | head`) is no failure; without a listener it would be reported as a crash.
process.stdout.on('error', () => process.exit(0))

// Standard output is synchronous on Linux, so nothing printed is lost here; and no forgotten handle can keep a stopped daemon alive.
process.exit(await runCli())
