/** `fanfold retry`: parked and postponed deliveries are due again now. */
import { withDesk } from './desk-access.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { interruptible } from './interrupt.ts'
import { systemTerminal } from './terminal.ts'

export async function retry(targets: readonly string[], flags: FactFlags): Promise<ExitCode> {
  const config = await configOf(flags)
  const terminal = systemTerminal()
  return interruptible(({ signal }) =>
    withDesk(config, signal, async (open) => {
      const answer = await open.desk.retry(targets, signal)
      if (flags.json === true) terminal.print(JSON.stringify(answer, null, 2))
      else terminal.print(`${answer.retried} ${answer.retried === 1 ? 'delivery is' : 'deliveries are'} due again`)
      if (!open.isRunning && answer.retried > 0)
        terminal.remark('fanfold: no daemon is running; they are tried once it is started')
      return exitCode.done
    }),
  )
}
