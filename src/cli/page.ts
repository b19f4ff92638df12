/** `fanfold page`: the address of the running daemon's status page, with what lets it act. */
import type { PageAccess } from '../control/control.ts'
import { withDesk } from './desk-access.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { interruptible } from './interrupt.ts'
import { systemTerminal } from './terminal.ts'

export async function page(flags: FactFlags): Promise<ExitCode> {
  const config = await configOf(flags)
  const terminal = systemTerminal()
  return interruptible(({ signal }) =>
    withDesk(config, signal, async ({ desk }) => {
      const access = await desk.page(signal)
      if (flags.json === true) terminal.print(JSON.stringify({ ...access, link: linkOf(access) }, null, 2))
      else if (access.address === null) terminal.remark(`fanfold: no page: ${access.reason ?? 'unknown reason'}`)
      else terminal.print(linkOf(access) ?? '')
      return access.address === null ? exitCode.failed : exitCode.done
    }),
  )
}

/** In the fragment, which a browser sends nowhere. A socket is reached through a proxy, whose name only its owner knows. */
export function linkOf({ address, token }: PageAccess): string | null {
  if (address === null) return null
  return address.startsWith('unix:') ? `${address} (behind your proxy: /#token=${token})` : `${address}#token=${token}`
}
