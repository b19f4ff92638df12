// Preloaded into the daemon: how long its loop was kept busy at once, in CPU time of the main thread, since time slept or taken by other
// processes is no fault of its own. At the end a line per turn of some length goes to $FANFOLD_LOOP_LOOK: when it ended, and how long it was.
const { readFileSync, writeFileSync } = require('node:fs')
const { isMainThread } = require('node:worker_threads')

const told = process.env.FANFOLD_LOOP_LOOK
const lookMs = 2
const shortMs = 1

if (isMainThread && told !== undefined) {
  const busyMs = () => Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6
  const turns = []
  let before = busyMs()
  setInterval(() => {
    const now = busyMs()
    if (now - before > shortMs) turns.push({ atMs: Date.now(), busyMs: now - before })
    before = now
  }, lookMs).unref()
  process.on('exit', () => writeFileSync(told, JSON.stringify(turns)))
}
