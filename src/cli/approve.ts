/** `fanfold approve`: the owner says that so many removals are meant. */
import { withDesk } from './desk-access.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { interruptible } from './interrupt.ts'
import { systemTerminal } from './terminal.ts'

export async function approve(source: string, flags: FactFlags): Promise<ExitCode> {
  const config = await configOf(flags)
  const terminal = systemTerminal()
  return interruptible(({ signal }) =>
    withDesk(config, signal, async ({ desk }) => {
      const answer = await desk.approve(source, signal)
      if (flags.json === true) terminal.print(JSON.stringify(answer, null, 2))
      else if (!answer.wasHeld) terminal.print(`${source}: nothing was held back`)
      else
        terminal.print(
          `${source}: approved; ${answer.copies} copies follow their files now, the others after their grace`,
        )
      return exitCode.done
    }),
  )
}
