/** The line that letters and turns stand in: order through growing, wrapping and shrinking. */
import { expect, test } from 'vitest'
import { Fifo } from '../../src/stage/fifo.ts'
import { range } from './watched.ts'

test('a line keeps its order while it grows, wraps around, runs empty and is used again', () => {
  const line = new Fifo<{ readonly number: number }>()
  const out: number[] = []
  let next = 0

  for (const [pushes, shifts] of [
    [10, 7],
    [3000, 1500],
    [1000, 2503],
    [20, 15],
    [5, 11],
  ] as const) {
    for (let push = 0; push < pushes; push++) line.push({ number: next++ })
    for (let shift = 0; shift < shifts; shift++) out.push(line.shift()?.number ?? -1)
  }

  expect(out.slice(0, next)).toEqual(range(0, next - 1))
  expect(out.slice(next)).toEqual([-1])
  expect(line.count).toBe(0)
  expect(line.peek()).toBeUndefined()
})
