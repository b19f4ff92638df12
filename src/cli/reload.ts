/** `fanfold reload`: the running daemon takes over its configuration file as it stands now. */
import { withDesk } from './desk-access.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { interruptible } from './interrupt.ts'
import { harmless } from './spans.ts'
import { systemTerminal } from './terminal.ts'

export async function reload(flags: FactFlags): Promise<ExitCode> {
  // Read here as well: a file that cannot be used is told with every problem, and the daemon is not even asked.
  const config = await configOf(flags)
  const terminal = systemTerminal()
  return interruptible(({ signal }) =>
    withDesk(config, signal, async ({ desk }) => {
      const answer = await desk.reload(signal)
      if (flags.json === true) terminal.print(JSON.stringify(answer, null, 2))
      else if (answer.changes.length === 0) terminal.print('nothing is different')
      else for (const change of answer.changes) terminal.print(harmless(change))
      return exitCode.done
    }),
  )
}
