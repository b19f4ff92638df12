// One renewal in a process of its own, which ends itself without a word at the nth deed with its login's file: FANFOLD_DEED counts from 1.
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { basename } from 'node:path'

const [, , builtFolder, optionsText] = process.argv
const { config, folder, endpoint } = JSON.parse(optionsText)
const last = Number(process.env.FANFOLD_DEED ?? Infinity)
let deeds = 0

function deed(name, isAfter) {
  deeds++
  if (deeds === last) process.kill(process.pid, 'SIGKILL')
  return isAfter
}

/** Every deed once before and once after it was done. */
function around(object, name, of) {
  const real = object[name]
  object[name] = async function (...words) {
    if (!of(this, words)) return real.apply(this, words)
    deed(name, false)
    const result = await real.apply(this, words)
    deed(name, true)
    return result
  }
}

const isOurs = (path) => typeof path === 'string' && /^main\.json/.test(basename(path))
const probe = await promises.open(process.argv[1], 'r')
const handles = Object.getPrototypeOf(probe)
await probe.close()
around(promises, 'rename', (_self, [from]) => isOurs(from))
around(promises, 'open', (_self, [path, flags]) => isOurs(path) && flags === 'w')
for (const name of ['writeFile', 'sync']) around(handles, name, () => true)
syncBuiltinESMExports()

const { Account, CredentialsFolder, loginEndpoints } = await import(`${builtFolder}/account/account.js`)
const { openTransport } = await import(`${builtFolder}/target/transport/transport.js`)
const { systemClock } = await import(`${builtFolder}/base/clock.js`)
const { silentLog: log } = await import(`${builtFolder}/base/log.js`)
const pace = {
  request: (_signal, work) => work(),
  upload: (_signal, work) => work(),
  bytes: () => Promise.resolve(),
  penalise: () => {},
}
const clock = systemClock
const endpoints = loginEndpoints({ ...config, endpoint })
const transport = openTransport({ name: 'login', settings: { endpoints }, pace, credentials: undefined, clock, log })
const call = (asked, signal) => transport.request(asked, signal)
const account = new Account({ config, folder, credentials: new CredentialsFolder(undefined), call, clock, log })
await account.renew(new AbortController().signal)
process.stdout.write(String(deeds))
process.exit(0)
