// Events per second through the stages' hot paths. Run: node test/bench/stage.mjs [seconds per shape], after a build.
import { broadcastDispatcher, consumer, producer, producerConsumer } from '../../dist/stage/stage.js'

const shapeMs = Number(process.argv[2] ?? 2) * 1000

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

const shapes = {
  'demand 1000/500'() {
    const source = counting()
    const { stage, count } = counter()
    stage.subscribe(source)
    return { source, count }
  },
  'demand 1/0'() {
    const source = counting()
    const { stage, count } = counter()
    stage.subscribe(source, { maxDemand: 1 })
    return { source, count }
  },
  'chain of 3, 1000/500'() {
    const source = counting()
    const middle = producerConsumer({ handleEvents: (events) => events })
    const { stage, count } = counter()
    middle.subscribe(source)
    stage.subscribe(middle)
    return { source, count }
  },
  'broadcast to 4'() {
    const source = counting({ dispatcher: broadcastDispatcher(), demand: 'accumulate' })
    const all = [0, 1, 2, 3].map(counter)
    for (const { stage } of all) stage.subscribe(source)
    source.setDemand('forward')
    return { source, count: all[0].count }
  },
  'broadcast to 4, selectors take half each'() {
    const source = counting({ dispatcher: broadcastDispatcher(), demand: 'accumulate' })
    const all = [0, 1, 2, 3].map(counter)
    all.forEach(({ stage }, at) => stage.subscribe(source, { selector: (event) => ((event >> at) & 1) === 0 }))
    source.setDemand('forward')
    return {
      source,
      count: {
        get events() {
          return all[0].count.last + 1
        },
      },
    }
  },
  'demand 1000/500, async handler'() {
    const source = counting()
    const count = { events: 0 }
    const stage = consumer({
      async handleEvents(events) {
        count.events += events.length
      },
    })
    stage.subscribe(source)
    return { source, count }
  },
}

for (const [name, open] of Object.entries(shapes)) {
  const { source, count } = open()
  await new Promise((resolve) => setTimeout(resolve, shapeMs / 4))
  const startMs = performance.now()
  const startCount = count.events
  await new Promise((resolve) => setTimeout(resolve, shapeMs))
  const perSecond = ((count.events - startCount) / (performance.now() - startMs)) * 1000
  await source.stop()
  console.log(`${name.padEnd(42)} ${(perSecond / 1e6).toFixed(2).padStart(8)} M events/s`)
}
