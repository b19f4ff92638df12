/** `fanfold login` and `fanfold logout`: leads a person through a cloud's consent page; what is secret of it stays with the daemon. */
import { createInterface } from 'node:readline/promises'
import { systemClock } from '../base/clock.ts'
import { OwnerError } from '../base/errors.ts'
import type { AccountConfig, Config } from '../config/config.ts'
import { AskError, type LoginBegun, type LoginDesk, type LoginProgress } from '../control/control.ts'
import { openLogs, socketOf } from './desk-access.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { interruptible } from './interrupt.ts'
import { harmless } from './spans.ts'
import { systemTerminal, type Terminal } from './terminal.ts'

export interface LoginFlags extends FactFlags {
  readonly device?: boolean
  readonly paste?: boolean
  readonly check?: boolean
  readonly otherUser?: boolean
  readonly port?: number
}

/** A wrong line may be a slip; this many are none. */
const pastesMax = 5

interface Talk {
  readonly desk: LoginDesk
  readonly account: AccountConfig
  readonly flags: LoginFlags
  readonly terminal: Terminal
  readonly signal: AbortSignal
}

export async function login(name: string, flags: LoginFlags): Promise<ExitCode> {
  const config = await configOf(flags)
  const account = accountOf(config, name)
  const terminal = systemTerminal()
  if (flags.check === true) return check(config, account, flags)
  return interruptible(({ signal }) =>
    withLogins(config, signal, async (desk) => {
      const talk = { desk, account, flags, terminal, signal }
      const done = await (account.service !== undefined ? asService(talk) : asPerson(talk))
      if (flags.json === true) terminal.print(JSON.stringify({ account: done.account, user: done.user }, null, 2))
      else terminal.print(harmless(`logged in to ${name}${done.user === null ? '' : ` as ${done.user}`}`))
      return exitCode.done
    }),
  )
}

export async function logout(name: string, flags: FactFlags): Promise<ExitCode> {
  const config = await configOf(flags)
  const { service } = accountOf(config, name)
  const terminal = systemTerminal()
  return interruptible(({ signal }) =>
    withLogins(config, signal, async (desk) => {
      const answer = await desk.logout(name, signal)
      if (flags.json === true) terminal.print(JSON.stringify(answer, null, 2))
      else terminal.print(`logged out of ${name}`)
      if (answer.left !== null) terminal.remark(harmless(`fanfold: ${answer.left}`))
      if (service !== undefined)
        terminal.remark(
          `fanfold: ${name} is a service and logs in again by itself; take "service" out of the configuration`,
        )
      return exitCode.done
    }),
  )
}

async function check(config: Config, { name }: AccountConfig, flags: LoginFlags): Promise<ExitCode> {
  const terminal = systemTerminal()
  return interruptible(({ signal }) =>
    withLogins(config, signal, async (desk) => {
      const found = await desk.checkLogin(name, signal)
      if (flags.json === true) terminal.print(JSON.stringify(found, null, 2))
      else terminal.print(harmless(`${name} is logged in${found.user === null ? '' : ` as ${found.user}`}`))
      if (found.notice !== null) terminal.remark(harmless(`fanfold: ${found.notice}`))
      return exitCode.done
    }),
  )
}

/** The running daemon's logins, or where none runs, this process's own: a lock on each login keeps two processes apart. */
async function withLogins<T>(config: Config, signal: AbortSignal, work: (desk: LoginDesk) => Promise<T>): Promise<T> {
  const { connect, NotRunning } = await import('../control/client.ts')
  try {
    return await work(await connect(socketOf(config), signal))
  } catch (thrown) {
    if (!(thrown instanceof NotRunning)) throw thrown
  }
  const { Logins } = await import('../daemon/logins.ts')
  const logs = openLogs()
  const logins = new Logins(config, { clock: systemClock, log: logs.of, environment: process.env })
  try {
    return await work(logins)
  } finally {
    await logins.close()
    logs.close()
  }
}

function accountOf(config: Config, name: string): AccountConfig {
  const found = config.accounts.find((account) => account.name === name)
  if (found !== undefined) return found
  const known = config.accounts.map((account) => account.name)
  const step = known.length === 0 ? `add it to "accounts" in ${config.file}` : `there are: ${known.join(', ')}`
  throw new AskError(`no account is named "${name}"; ${step}`)
}

type Done = Extract<LoginProgress, { kind: 'done' }>

function asPerson(talk: Talk): Promise<Done> {
  if (talk.flags.device === true) return byDevice(talk)
  return talk.flags.paste === true ? byPaste(talk) : byBrowser(talk)
}

function begin(talk: Talk, manner: 'browser' | 'paste' | 'device', redirectUri: string | null): Promise<LoginBegun> {
  const { desk, account, flags, signal } = talk
  const port = flags.port ?? null
  const acceptsOther = flags.otherUser === true
  return desk.login({ account: account.name, manner, redirectUri, port, acceptsOther }, signal)
}

async function asService(talk: Talk): Promise<Done> {
  const { ticket } = await begin(talk, 'paste', null)
  const progress = await talk.desk.answerLogin(ticket, '', talk.signal)
  if (progress.kind === 'done') return progress
  throw new OwnerError('the login of the service did not end; try again')
}

/** The browser runs on this machine and is sent back to it. */
async function byBrowser(talk: Talk): Promise<Done> {
  const { listenForAnswer } = await import('../daemon/logins.ts')
  const listening = await listenForAnswer(talk.account, talk.flags.port)
  try {
    const begun = await begin(talk, 'browser', listening.redirectUri)
    const signal = AbortSignal.any([talk.signal, AbortSignal.timeout(begun.endsInMs)])
    show(talk, begun, 'open this address in a browser on this machine:')
    talk.terminal.remark(
      `waiting for the answer; without a browser here: Ctrl-C, and fanfold login ${talk.account.name} --paste`,
    )
    let ending: Done | Error | undefined
    await listening.answered(async (address) => {
      try {
        const progress = await talk.desk.answerLogin(begun.ticket, address, talk.signal)
        if (progress.kind !== 'done') return { isEnd: false, isGood: false, text: strayText(progress) }
        ending = progress
        return {
          isEnd: true,
          isGood: true,
          text: `Logged in${progress.user === null ? '' : ` as ${progress.user}`}. You may close this page.`,
        }
      } catch (thrown) {
        ending = thrown instanceof Error ? thrown : new Error(String(thrown))
        return { isEnd: true, isGood: false, text: ending.message }
      }
    }, signal)
    if (ending === undefined) throw new OwnerError('no answer came; try again')
    if (ending instanceof Error) throw ending
    return ending
  } finally {
    await listening.close()
  }
}

function strayText(progress: Exclude<LoginProgress, Done>): string {
  return progress.kind === 'stray' ? progress.reason : 'not yet'
}

/** The browser runs anywhere; its owner copies what it shows, or the address it could not open. */
async function byPaste(talk: Talk): Promise<Done> {
  const begun = await begin(talk, 'paste', null)
  show(talk, begun, 'open this address in any browser:')
  talk.terminal.remark('then paste the code it shows, or the whole address it cannot open (http://…), and press Enter:')
  const lines = createInterface({ input: process.stdin })
  const signal = AbortSignal.any([talk.signal, AbortSignal.timeout(begun.endsInMs)])
  signal.addEventListener('abort', () => lines.close(), { once: true })
  try {
    let wrong = 0
    for await (const line of lines) {
      if (line.trim() === '') continue
      const progress = await talk.desk.answerLogin(begun.ticket, line.trim(), talk.signal)
      if (progress.kind === 'done') return progress
      wrong++
      talk.terminal.remark(`fanfold: ${strayText(progress)}`)
      if (wrong >= pastesMax) break
    }
  } finally {
    lines.close()
  }
  throw new OwnerError('nothing was pasted that belongs to this login; nothing was changed')
}

/** The browser runs anywhere, and nothing has to be copied back: the cloud is asked until its owner has typed the code. */
async function byDevice(talk: Talk): Promise<Done> {
  const begun = await begin(talk, 'device', null)
  show(talk, begun, 'open this address in any browser:')
  talk.terminal.remark(`and type this code there: ${begun.userCode ?? ''}`)
  for (let waitMs = begun.againInMs ?? 0; ;) {
    await systemClock.sleep(waitMs, talk.signal)
    const progress = await talk.desk.answerLogin(begun.ticket, '', talk.signal)
    if (progress.kind === 'done') return progress
    if (progress.kind === 'pending') waitMs = progress.againInMs
  }
}

/** On standard error: standard output has the result alone. The address stands alone in its line, to be copied. */
function show({ terminal }: Talk, { address, reason }: LoginBegun, what: string): void {
  if (reason !== null) terminal.remark(`fanfold: this login asks for more than usual: ${reason}`)
  terminal.remark(what)
  terminal.remark(harmless(address ?? ''))
}
