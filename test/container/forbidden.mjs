// Run as the service: tries what the unit forbids, and leaves what came of it as JSON.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const answerOf = (work) => {
  try {
    return String(work() ?? 'done').trim()
  } catch (thrown) {
    return thrown.code ?? thrown.message
  }
}
const run = (...words) =>
  execFileSync(words[0], words.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
const ownUid = String(process.getuid())
const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))

const answers = {
  writeEtc: answerOf(() => writeFileSync('/etc/fanfold/fanfold.yaml', 'x')),
  writeUsr: answerOf(() => writeFileSync('/usr/x', 'x')),
  writeOpenFolder: answerOf(() => writeFileSync('/srv/open/x', 'x')),
  writeSource: answerOf(() => writeFileSync('/srv/inbox/x', 'x')),
  writeHomeSource: answerOf(() => writeFileSync('/home/anna/papers/x', 'x')),
  writeTarget: answerOf(() => writeFileSync('/srv/archive/probe', 'x')),
  writeState: answerOf(() => writeFileSync('/var/lib/fanfold/probe', 'x')),
  readHome: answerOf(() => readFileSync('/home/bert/diary', 'utf8')),
  readBesideSource: answerOf(() => readFileSync('/home/anna/diary', 'utf8')),
  readHomeSource: answerOf(() => readFileSync('/home/anna/papers/letter', 'utf8')),
  newPrivileges: answerOf(() => (run('/usr/local/bin/as-root', '-u').trim() === ownUid ? 'none' : 'gained')),
  newNamespace: answerOf(() => run('unshare', '--user', 'true')),
  otherProcesses: answerOf(
    () => pids.filter((pid) => !readFileSync(`/proc/${pid}/status`, 'utf8').includes(`Uid:\t${ownUid}\t`)).length,
  ),
  signalFirst: answerOf(() => process.kill(1, 0)),
  credential: answerOf(() => readFileSync(`${process.env.CREDENTIALS_DIRECTORY}/fanfold_secret`, 'utf8')),
}
writeFileSync('/var/lib/fanfold/forbidden.json', JSON.stringify(answers))
