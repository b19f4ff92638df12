/** `fanfold pause`, `resume` and `take-over`: the owner stops targets, lets them go on, and says whose they are. */
import type { DeskClient } from '../control/client.ts'
import type { Held } from '../control/control.ts'
import { withDesk } from './desk-access.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { interruptible } from './interrupt.ts'
import { systemTerminal } from './terminal.ts'

const done = {
  pause: 'paused; what is owed waits',
  resume: 'goes on',
  'take-over': 'belongs to this Fanfold from now on',
} as const

type Ask = (targets: readonly string[], signal: AbortSignal) => Promise<Held>
const verbs: Readonly<Record<keyof typeof done, (desk: DeskClient) => Ask>> = {
  pause: (desk) => (targets, signal) => desk.hold(targets, signal),
  resume: (desk) => (targets, signal) => desk.resume(targets, signal),
  'take-over': (desk) => (targets, signal) => desk.takeOver(targets, signal),
}

export async function hold(verb: keyof typeof done, targets: readonly string[], flags: FactFlags): Promise<ExitCode> {
  const config = await configOf(flags)
  const terminal = systemTerminal()
  return interruptible(({ signal }) =>
    withDesk(config, signal, async ({ desk, isRunning }) => {
      const answer = await verbs[verb](desk)(targets, signal)
      if (flags.json === true) terminal.print(JSON.stringify(answer, null, 2))
      else for (const name of answer.targets) terminal.print(`${name}: ${done[verb]}`)
      if (!isRunning) terminal.remark('fanfold: no daemon is running; it counts once it is started')
      return exitCode.done
    }),
  )
}
