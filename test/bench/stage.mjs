// Events per second through the stages' hot paths, beside plain references. Median of some runs, one process. After a build:
// node test/bench/stage.mjs [ms per run, default 300] [runs, default 7]
import { Readable, Transform, Writable } from 'node:stream'
import {
  broadcastDispatcher,
  consumer,
  partitionDispatcher,
  producer,
  producerConsumer,
} from '../../dist/stage/stage.js'

const runMs = Number(process.argv[2] ?? 300)
const runs = Number(process.argv[3] ?? 7)
const chunkEvents = 500
/** A timer this often, while a shape runs at full speed, shows how long others have to wait. */
const timerMs = 10

/** Makes as many consecutive numbers as are asked for. */
function counting(options = {}) {
  let next = 0
  return producer({
    ...options,
    handleDemand(demand) {
      const events = new Array(demand)
      for (let at = 0; at < demand; at++) events[at] = next++
      return events
    },
  })
}

function counter() {
  const count = { events: 0, last: -1 }
  const stage = consumer({
    handleEvents(events) {
      count.events += events.length
      count.last = events[events.length - 1]
    },
  })
  return { stage, count }
}

/** A shape of stages: what to count, and how to end it. */
function shape(source, events) {
  return { events, stop: () => source.stop() }
}

function demand(options) {
  const source = counting()
  const { stage, count } = counter()
  stage.subscribe(source, options)
  return shape(source, () => count.events)
}

function broadcast(selectorOf) {
  const source = counting({ dispatcher: broadcastDispatcher(), demand: 'accumulate' })
  const all = [0, 1, 2, 3].map(counter)
  all.forEach(({ stage }, at) => stage.subscribe(source, selectorOf === undefined ? {} : { selector: selectorOf(at) }))
  source.setDemand('forward')
  return shape(source, () => all[0].count.last + 1)
}

function partition(hash) {
  const source = counting({ dispatcher: partitionDispatcher({ partitions: 4, hash }) })
  const all = [0, 1, 2, 3].map(counter)
  all.forEach(({ stage }, partition) => stage.subscribe(source, { partition }))
  return shape(source, () => all.reduce((sum, { count }) => sum + count.events, 0))
}

const stages = {
  'demand 1000/500': () => demand({}),
  'demand 1/0': () => demand({ maxDemand: 1 }),
  'chain of 3, 1000/500'() {
    const source = counting()
    const middle = producerConsumer({ handleEvents: (events) => events })
    const { stage, count } = counter()
    middle.subscribe(source)
    stage.subscribe(middle)
    return shape(source, () => count.events)
  },
  'broadcast to 4': () => broadcast(),
  'broadcast to 4, selectors take half each': () => broadcast((at) => (event) => ((event >> at) & 1) === 0),
  'partition to 4, hash given': () => partition((event) => event & 3),
  'partition to 4, stable hash': () => partition(undefined),
  'demand 1000/500, async handler'() {
    const source = counting()
    let events = 0
    const stage = consumer({
      async handleEvents(chunk) {
        events += chunk.length
      },
    })
    stage.subscribe(source)
    return shape(source, () => events)
  },
}

/** Runs `work` over and over, leaving the event loop its rounds. */
function looping(work) {
  let isOver = false
  const round = () => {
    if (isOver) return
    const endMs = performance.now() + 4
    while (performance.now() < endMs) work()
    setImmediate(round)
  }
  setImmediate(round)
  return () => {
    isOver = true
  }
}

/** Node's streams go on in ticks for as long as everything is at hand, and no timer would ever fire: their sink makes a pause as our stages do. */
function unselfish() {
  let endMs = performance.now() + 4
  let calls = 0
  return (done) => {
    if (++calls % 64 !== 0 || performance.now() < endMs) return done()
    setImmediate(() => {
      endMs = performance.now() + 4
      done()
    })
  }
}

function nodeStream(makeReadable, through, objectsPerItem) {
  let events = 0
  const go = unselfish()
  const sink = new Writable({
    objectMode: true,
    highWaterMark: 1000,
    write(_item, _encoding, done) {
      events += objectsPerItem
      go(done)
    },
  })
  const source = makeReadable()
  through.reduce((from, to) => from.pipe(to), source).pipe(sink)
  return { events: () => events, stop: () => source.destroy() }
}

function numbers() {
  let next = 0
  return new Readable({
    objectMode: true,
    highWaterMark: 1000,
    read() {
      this.push(next++)
    },
  })
}

function arrays() {
  let next = 0
  return new Readable({
    objectMode: true,
    highWaterMark: 2,
    read() {
      const events = new Array(chunkEvents)
      for (let at = 0; at < chunkEvents; at++) events[at] = next++
      this.push(events)
    },
  })
}

const references = {
  'reference: a loop calling 4 callbacks, per event'() {
    const sums = [0, 0, 0, 0]
    const callbacks = sums.map((_, at) => (event) => {
      sums[at] += event & 1
    })
    let events = 0
    const stop = looping(() => {
      for (let at = 0; at < chunkEvents; at++) for (const callback of callbacks) callback(events + at)
      events += chunkEvents
    })
    return { events: () => events, stop }
  },
  'reference: Node streams, object per event': () => nodeStream(numbers, [], 1),
  'reference: Node streams, chain of 3, per event': () =>
    nodeStream(
      numbers,
      [new Transform({ objectMode: true, transform: (event, _encoding, done) => done(null, event) })],
      1,
    ),
  'reference: Node streams, arrays of 500': () => nodeStream(arrays, [], chunkEvents),
  'reference: Node streams, arrays of 500, to 4'() {
    const source = arrays()
    let events = 0
    for (let at = 0; at < 4; at++) {
      const go = unselfish()
      source.pipe(
        new Writable({
          objectMode: true,
          highWaterMark: 2,
          write(items, _encoding, done) {
            if (at === 0) events += items.length
            go(done)
          },
        }),
      )
    }
    return { events: () => events, stop: () => source.destroy() }
  },
}

/** rxjs 7.8.2 as a dev dependency adds its lines; without it they are left out. */
async function rxjsShapes() {
  const rxjs = await import('rxjs').catch(() => undefined)
  if (rxjs === undefined) return {}
  const subject = (subscribers) => () => {
    const events = new rxjs.Subject()
    let count = 0
    for (let at = 0; at < subscribers; at++)
      events.subscribe(() => {
        if (at === 0) count++
      })
    let next = 0
    const stop = looping(() => {
      for (let at = 0; at < chunkEvents; at++) events.next(next++)
    })
    return { events: () => count, stop }
  }
  return { 'reference: rxjs Subject to 1': subject(1), 'reference: rxjs Subject to 4': subject(4) }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function perSecond(read) {
  const [startMs, startEvents] = [performance.now(), read()]
  let latestMs = 0
  while (performance.now() - startMs < runMs) {
    const dueMs = performance.now() + timerMs
    await pause(timerMs)
    latestMs = Math.max(latestMs, performance.now() - dueMs)
  }
  return { rate: ((read() - startEvents) / (performance.now() - startMs)) * 1000, latestMs }
}

async function measure(name, open) {
  const { events, stop } = open()
  await pause(runMs / 2)
  const results = []
  for (let run = 0; run < runs; run++) results.push(await perSecond(events))
  await stop()
  const rates = results.map(({ rate }) => rate / 1e6).sort((one, other) => one - other)
  const latestMs = Math.max(...results.map((result) => result.latestMs))
  const show = (rate) => rate.toFixed(2).padStart(8)
  const [least, median, most] = [rates[0], rates[Math.floor(rates.length / 2)], rates[rates.length - 1]]
  console.log(
    `${name.padEnd(48)}${show(median)} M/s  (${show(least)} -${show(most)})   timer late ${latestMs.toFixed(1)} ms`,
  )
}

for (const [name, open] of Object.entries({ ...stages, ...references, ...(await rxjsShapes()) }))
  await measure(name, open)
