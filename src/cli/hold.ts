/** `fanfold pause` and `fanfold resume`: the owner stops targets and lets them go on. */
import { withDesk } from './desk-access.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { interruptible } from './interrupt.ts'
import { systemTerminal } from './terminal.ts'

export async function hold(verb: 'pause' | 'resume', targets: readonly string[], flags: FactFlags): Promise<ExitCode> {
  const config = await configOf(flags)
  const terminal = systemTerminal()
  return interruptible(({ signal }) =>
    withDesk(config, signal, async ({ desk, isRunning }) => {
      const answer = await (verb === 'pause' ? desk.hold(targets, signal) : desk.resume(targets, signal))
      const what = verb === 'pause' ? 'paused; what is owed waits' : 'goes on'
      if (flags.json === true) terminal.print(JSON.stringify(answer, null, 2))
      else for (const name of answer.targets) terminal.print(`${name}: ${what}`)
      if (!isRunning) terminal.remark('fanfold: no daemon is running; it counts once it is started')
      return exitCode.done
    }),
  )
}
