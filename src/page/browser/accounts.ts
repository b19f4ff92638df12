/** Logins at clouds: whose, how long they last, and a new one through a browser wherever it is. */
import type { AccountStatus, LoginBegun } from '../../control/answers.ts'
import { button, type Actions } from './actions.ts'
import { attribute, counted, el, found, Listing, say, sayIf, type View } from './dom.ts'

const dayMs = 86_400_000

export class AccountsView {
  readonly #section = found('accounts-section')
  readonly #listing: Listing<AccountStatus>

  constructor(actions: Actions, now: () => number) {
    this.#listing = new Listing(
      found('accounts'),
      ({ name }) => name,
      (account) => accountView(account, actions, now),
    )
  }

  show(accounts: readonly AccountStatus[]): void {
    this.#section.hidden = accounts.length === 0
    this.#listing.show(accounts)
  }
}

const tones: Readonly<Record<string, string>> = { 'logged-in': 'good', 'ends-soon': 'warn', 'needs-login': 'bad' }

function accountView({ name, kind }: AccountStatus, actions: Actions, now: () => number): View<AccountStatus> {
  const state = el('span', { class: 'state' })
  const facts = el('p', { class: 'facts' })
  const reason = el('p', { class: 'reason' })
  const login = button('Log in…', `log in to ${name}`, () => logIn(name, actions))
  const heading = el('div', { class: 'heading' }, el('h3', {}, name), el('span', { class: 'kind' }, kind), state)
  heading.append(el('span', { class: 'acts' }, login))
  return {
    element: el('li', { class: 'card' }, heading, facts, reason),
    show(account) {
      say(state, account.state)
      attribute(state, 'data-tone', tones[account.state] ?? 'warn')
      sayIf(facts, factsOf(account, now()))
      sayIf(reason, account.reason)
    },
  }
}

function factsOf({ user, endsAt }: AccountStatus, nowMs: number): string | null {
  const facts = user === null ? [] : [user]
  const days = endsAt === null ? undefined : Math.floor((Date.parse(endsAt) - nowMs) / dayMs)
  if (days !== undefined) facts.push(days < 0 ? 'ended' : `ends in ${counted(days, 'day')}`)
  return facts.length === 0 ? null : facts.join(' · ')
}

/** The consent page may be opened anywhere; what its browser ends at is brought back here. */
async function logIn(account: string, actions: Actions): Promise<void> {
  const begun = await actions.login(account)
  if (begun === undefined) return
  if (begun.address !== null) {
    loginDialog(account, begun, begun.address, actions)
    return
  }
  // A service has no person who could be asked.
  if ((await actions.answerLogin(begun.ticket, ''))?.kind === 'done') actions.remark(`logged in to ${account}`)
}

function loginDialog(account: string, { ticket, reason }: LoginBegun, address: string, actions: Actions): void {
  const title = `Log in to ${account}`
  const link = el('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, 'Open the cloud’s page')
  const text = el('input', { type: 'text', id: 'login-answer', autocomplete: 'off', spellcheck: 'false' })
  const problem = el('p', { class: 'reason', role: 'status' })
  problem.hidden = true
  const send = el('button', { type: 'submit', class: 'act strong' }, 'Log in')
  const cancel = el('button', { type: 'button', class: 'act' }, 'Cancel')
  const form = el(
    'form',
    {},
    el('h2', {}, title),
    ...(reason === null ? [] : [el('p', {}, reason)]),
    el(
      'ol',
      {},
      el('li', {}, link, ' and allow what it asks for.'),
      el('li', {}, 'It ends at a page that cannot be shown. Copy that page’s address.'),
    ),
    el('p', {}, el('label', { for: 'login-answer' }, 'The address it ended at'), text),
    problem,
    el('p', { class: 'row' }, send, cancel),
  )
  const dialog = el('dialog', { 'aria-label': title }, form)
  document.body.append(dialog)
  dialog.addEventListener('close', () => dialog.remove())
  cancel.addEventListener('click', () => dialog.close())
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    actions
      .answerLogin(ticket, text.value)
      .then((progress) => {
        if (progress?.kind === 'stray') sayIf(problem, progress.reason)
        if (progress?.kind !== 'done') return
        dialog.close()
        actions.remark(`logged in to ${account}${progress.user === null ? '' : ` as ${progress.user}`}`)
      })
      .catch(() => undefined)
  })
  dialog.showModal()
}
