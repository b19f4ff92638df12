/** `fanfold approve`: the owner says that so many removals are meant, and that a disk is gone for good. */
import { showPath } from '../base/path.ts'
import type { Approved } from '../control/control.ts'
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
      else for (const line of linesOf(answer)) terminal.print(line)
      return exitCode.done
    }),
  )
}

function linesOf({ source, wasHeld, mounts, copies }: Approved): string[] {
  const lines = mounts.map((mount) => `${source}: ${showPath(mount)} is not waited for any more`)
  if (wasHeld) lines.push(`${source}: approved; ${copies} copies follow their files now, the others after their grace`)
  return lines.length === 0 ? [`${source}: nothing was held back`] : lines
}
