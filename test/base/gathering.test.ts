import { expect, test } from 'vitest'
import { Gathering, oneAtATime, settle, type Doer } from '../../src/base/gathering.ts'

const never = new AbortController().signal
const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface World {
  readonly batches: string[][]
  /** Lets the batch under way end. */
  readonly finish: (failure?: Error) => Promise<void>
  readonly gathering: Gathering<string, string>
}

function aWorld(): World {
  const batches: string[][] = []
  let end: (failure?: Error) => void = () => {}
  const doer: Doer<string, string> = async (batch) => {
    batches.push(batch.map(({ item }) => item))
    await new Promise<void>((resolve, reject) => {
      end = (failure) => {
        if (failure === undefined) resolve()
        else reject(failure)
      }
    })
    settle(
      batch,
      batch.map(({ item }) => item.toUpperCase()),
    )
  }
  const bounds = { countMax: 3, bytesMax: 10, bytesOf: (item: string) => item.length }
  const finish = async (failure?: Error): Promise<void> => {
    end(failure)
    await breathe()
  }
  return { batches, finish, gathering: new Gathering(bounds, oneAtATime(doer)) }
}

test('what is asked in one go goes together, what comes meanwhile is the next batch', async () => {
  const { batches, finish, gathering } = aWorld()

  const first = [gathering.ask('a', never), gathering.ask('b', never)]
  await breathe()
  const second = [gathering.ask('c', never), gathering.ask('d', never)]
  await breathe()
  await finish()
  await finish()

  expect(batches).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ])
  expect(await Promise.all([...first, ...second])).toEqual(['A', 'B', 'C', 'D'])
})

test('a batch has no more than its bounds', async () => {
  const { batches, finish, gathering } = aWorld()

  const asked = ['a', 'b', 'c', 'd', 'long enough for one', 'e'].map((item) => gathering.ask(item, never))
  await breathe()
  for (let n = 0; n < 3; n++) await finish()
  await Promise.all(asked)

  expect(batches).toEqual([['a', 'b', 'c'], ['d', 'long enough for one'], ['e']])
})

test('an abort takes an ask out of the queue; what is on its way is still done', async () => {
  const { batches, finish, gathering } = aWorld()
  const abort = new AbortController()
  const [sent, other] = [gathering.ask('a', abort.signal).catch(String), gathering.ask('b', never)]
  await breathe()
  const queued = gathering.ask('c', abort.signal).catch(String)

  abort.abort(new Error('enough'))
  await finish()

  expect(await Promise.all([sent, queued, other])).toEqual(['Error: enough', 'Error: enough', 'B'])
  expect(batches).toEqual([['a', 'b']])
})

test('a batch that fails rejects all of it, and the next one goes', async () => {
  const { finish, gathering } = aWorld()
  const first = [gathering.ask('a', never), gathering.ask('b', never)].map((ask) => ask.catch(String))
  await breathe()
  const second = gathering.ask('c', never)

  await finish(new Error('broken'))
  await finish()

  expect(await Promise.all(first)).toEqual(['Error: broken', 'Error: broken'])
  expect(await second).toBe('C')
})

test('its end rejects whoever waits, then and later', async () => {
  const { finish, gathering } = aWorld()
  const sent = gathering.ask('a', never)
  await breathe()
  const queued = gathering.ask('b', never).catch(String)

  gathering.end(new Error('over'))
  await finish()

  expect(await sent).toBe('A')
  expect(await queued).toBe('Error: over')
  await expect(gathering.ask('c', never)).rejects.toThrow('over')
})
