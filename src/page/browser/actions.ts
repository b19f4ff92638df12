/** What can be done from the page: allowed by the token that came with its address, each told in words when it is done or refused. */
import type { Approved, Held, LoginBegun, LoginProgress, Resynced, Retried } from '../../control/answers.ts'
import { order } from './connection.ts'
import { el, found, say } from './dom.ts'

const tokenName = 'fanfold-token'
/** A remark is read by then. Unit: ms. */
const remarkMs = 8_000

/** The token: out of the address, where it would be seen and kept, into this tab's memory. */
function takeToken(): string | null {
  const given = /^#token=([0-9a-f]{64})$/.exec(location.hash)?.[1]
  if (given !== undefined) {
    sessionStorage.setItem(tokenName, given)
    history.replaceState(null, '', location.pathname)
  }
  return sessionStorage.getItem(tokenName)
}

export class Actions {
  readonly #remark = found('remark')
  #token = takeToken()
  #timer: number | undefined

  constructor() {
    this.#showRight()
    // The address that "fanfold page" prints may be opened where the page is open already.
    window.addEventListener('hashchange', () => {
      this.#token = takeToken()
      this.#showRight()
    })
  }

  get isAllowed(): boolean {
    return this.#token !== null
  }

  #showRight(): void {
    found('read-only').hidden = this.isAllowed
    document.body.classList.toggle('can-act', this.isAllowed)
  }

  async retry(target: string): Promise<void> {
    const answer = await this.#ordered<Retried>('/retry', { targets: [target] })
    if (answer?.retried === 0) this.remark(`${target}: nothing had to wait`)
    else if (answer !== undefined) this.remark(`${target}: tried again now: ${answer.retried}`)
  }

  async hold(target: string): Promise<void> {
    const answer = await this.#ordered<Held>('/hold', { targets: [target] })
    if (answer !== undefined) this.remark(`${target} is paused; what is under way finishes`)
  }

  async resume(target: string): Promise<void> {
    const answer = await this.#ordered<Held>('/resume', { targets: [target] })
    if (answer !== undefined) this.remark(`${target} goes on`)
  }

  async resync(target: string): Promise<void> {
    const answer = await this.#ordered<Resynced>('/resync', { targets: [target] })
    if (answer !== undefined) this.remark(`${target} is compared with what it should hold`)
  }

  async approve(source: string): Promise<void> {
    const text = 'Copies of files that went are given up as each target’s configuration says.'
    if (!(await confirmed(`Let copies follow the removals of ${source}?`, text, 'Let them go'))) return
    const answer = await this.#ordered<Approved>('/approve', { source })
    if (answer !== undefined) this.remark(`${source}: ${answer.copies} copies follow`)
  }

  login(account: string): Promise<LoginBegun | undefined> {
    const asked = { account, manner: 'paste', redirectUri: null, port: null, acceptsOther: false }
    return this.#ordered<LoginBegun>('/login', asked)
  }

  answerLogin(ticket: string, text: string): Promise<LoginProgress | undefined> {
    return this.#ordered<LoginProgress>('/login/answer', { ticket, text })
  }

  async #ordered<T>(path: string, body: unknown): Promise<T | undefined> {
    if (this.#token === null) return undefined
    try {
      return await order<T>(path, body, this.#token)
    } catch (thrown) {
      this.remark(thrown instanceof Error ? thrown.message : String(thrown), 'bad')
      return undefined
    }
  }

  /** Says something once, at the foot of the page. */
  remark(text: string, tone: 'good' | 'bad' = 'good'): void {
    window.clearTimeout(this.#timer)
    say(this.#remark, text)
    this.#remark.dataset['tone'] = tone
    this.#remark.classList.add('shown')
    this.#timer = window.setTimeout(() => this.#remark.classList.remove('shown'), remarkMs)
  }
}

/** A button for one thing to do; without the token it is not there. */
export function button(label: string, description: string, act: () => Promise<unknown>): HTMLButtonElement {
  const element = el('button', { type: 'button', class: 'act', 'aria-label': description }, label)
  element.addEventListener('click', () => {
    element.disabled = true
    act()
      .catch(() => undefined)
      .finally(() => (element.disabled = false))
  })
  return element
}

/** Asks before something that cannot be taken back. */
function confirmed(title: string, text: string, label: string): Promise<boolean> {
  const yes = el('button', { type: 'submit', value: 'yes', class: 'act strong' }, label)
  const no = el('button', { type: 'submit', value: 'no', class: 'act' }, 'Not now')
  const form = el(
    'form',
    { method: 'dialog' },
    el('h2', {}, title),
    el('p', {}, text),
    el('p', { class: 'row' }, yes, no),
  )
  const dialog = el('dialog', { 'aria-label': title }, form)
  document.body.append(dialog)
  dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      resolve(dialog.returnValue === 'yes')
      dialog.remove()
    })
  })
}
