/** `fanfold login` and `fanfold logout`: leads a person through a cloud's consent page; what is secret of it stays with the daemon. */
import { createInterface } from 'node:readline/promises'
import { systemClock } from '../base/clock.ts'
import { asError, OwnerError } from '../base/errors.ts'
import { forbidCoreDumps } from '../base/libc.ts'
import type { AccountConfig, Config } from '../config/config.ts'
import { AskError, type LoginBegun, type LoginDesk, type LoginProgress } from '../control/control.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { interruptible } from './interrupt.ts'
import { withLogins } from './login-access.ts'
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
  forbidCoreDumps()
  if (flags.check === true) return check(config, account, flags)
  return interruptible(({ signal }) =>
    withLogins(config, signal, async (desk) => {
      const talk = { desk, account, flags, terminal, signal }
      const done = await (account.service !== undefined ? asService(talk) : asPerson(talk)).catch((thrown: unknown) => {
        throw signal.aborted ? new OwnerError('interrupted; nothing was changed') : thrown
      })
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
    const name = talk.account.name
    show(talk, begun, 'open this address in a browser on this machine:')
    talk.terminal.remark(`waiting for the answer; without a browser here: Ctrl-C, and fanfold login ${name} --paste`)
    const answers = new Answers(talk, begun)
    await listening.answered((address) => answers.judge(address), limited(talk.signal, begun))
    return answers.done
  } finally {
    await listening.close()
  }
}

/** What browsers bring, until one of them is the answer. */
class Answers {
  readonly #talk: Talk
  readonly #begun: LoginBegun
  #ending: Done | Error = new OwnerError('no answer came; try again')

  constructor(talk: Talk, begun: LoginBegun) {
    this.#talk = talk
    this.#begun = begun
  }

  /** @throws what the answer ended with */
  get done(): Done {
    if (this.#ending instanceof Error) throw this.#ending
    return this.#ending
  }

  async judge(address: string): Promise<{ isEnd: boolean; isGood: boolean; text: string }> {
    const { desk, signal } = this.#talk
    try {
      const progress = await desk.answerLogin(this.#begun.ticket, address, signal)
      if (progress.kind !== 'done') return { isEnd: false, isGood: false, text: strayText(progress) }
      this.#ending = progress
      const user = progress.user === null ? '' : ` as ${progress.user}`
      return { isEnd: true, isGood: true, text: `Logged in${user}. You may close this page.` }
    } catch (thrown) {
      this.#ending = asError(thrown)
      return { isEnd: true, isGood: false, text: this.#ending.message }
    }
  }
}

/** Ends with the attempt as well. */
function limited(signal: AbortSignal, { endsInMs }: LoginBegun): AbortSignal {
  const late = new AbortController()
  const timer = systemClock.after(endsInMs, () =>
    late.abort(new OwnerError('no answer came in time; nothing was changed; try again')),
  )
  signal.addEventListener('abort', () => timer.clear(), { once: true })
  return AbortSignal.any([signal, late.signal])
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
  const signal = limited(talk.signal, begun)
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
  signal.throwIfAborted()
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
