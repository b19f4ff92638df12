/** One child per event: no part of the room, since a manual subscription and a supervisor are all it takes. */
import { expect, test } from 'vitest'
import { consumer, producer, supervise, type Producer } from '../../src/stage/stage.ts'
import { atRest, until, watchedProducer } from './watched.ts'

test('S64: one child per event, 3/2: three are asked for at once, one exit asks for nothing, two exits ask for 2', async () => {
  const { stage: source, asks } = watchedProducer<string>()
  const tree = await supervise({})
  const children: Producer<never>[] = []
  const watches: Promise<void>[] = []
  let finishedCount = 0
  const starter = consumer<string>({
    async handleEvents(events, from) {
      for (const event of events) {
        const child = producer<never>({ name: event })
        children.push(child)
        await tree.add({ name: event, restart: 'temporary', start: () => child })
        const finished = async (): Promise<void> => {
          await child.stopped
          if (++finishedCount < 2) return
          from.ask(finishedCount)
          finishedCount = 0
        }
        watches.push(finished())
      }
    },
  })
  starter.subscribe(source, { mode: 'manual' }).ask(3)
  source.emit(['a', 'b', 'c'])
  await until('all have started', () => tree.children.length === 3)
  await children[0]?.stop()
  await atRest()
  const early = [...asks]

  await children[1]?.stop(new Error('fell'))
  await atRest()

  expect(early).toEqual([3])
  expect(asks).toEqual([3, 2])
  expect(tree.children).toEqual(['c'])
  await tree.stop()
  await Promise.all(watches)
})
