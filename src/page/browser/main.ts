/** The status page in its browser: one status after another goes to the views; what they show is theirs. */
import type { Status } from '../../control/answers.ts'
import { AccountsView } from './accounts.ts'
import { Actions } from './actions.ts'
import { ask, Connection, type Reach } from './connection.ts'
import { found, say } from './dom.ts'
import { HistoryView } from './history.ts'
import { LanesView } from './lanes.ts'
import { Rates } from './rates.ts'
import { SearchView } from './search.ts'
import { SourcesView } from './sources.ts'
import { VerdictView } from './verdict.ts'

const now = (): number => Date.now()
const actions = new Actions()
const rates = new Rates()
const verdict = new VerdictView()
const sources = new SourcesView(actions)
const lanes = new LanesView(rates, actions, now)
const accounts = new AccountsView(actions, now)
const history = new HistoryView()
new SearchView()

function show(status: Status): void {
  rates.add(status, now())
  verdict.show(status)
  sources.show(status.sources)
  lanes.show(status.targets)
  accounts.show(status.accounts)
  history.show(status)
  document.body.classList.add('known')
}

/** What stands on the page may be old while nobody answers, so it looks like it. */
function showReach(reach: Reach): void {
  const isAway = reach === 'away'
  document.body.classList.toggle('away', isAway)
  const notice = found('reach')
  const words = isAway ? 'The daemon does not answer. What you see is old; trying again…' : 'Live'
  say(notice, words)
}

new Connection({ status: show, reach: showReach })
ask
  .trend()
  .then((samples) => rates.begin(samples))
  // Without a past the plots begin now.
  .catch(() => undefined)
