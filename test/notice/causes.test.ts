/** Which causes are told, and when: once as long as each lasts. */
import { expect, test } from 'vitest'
import { Causes, forgetMs, holdMs, type News } from '../../src/notice/causes.ts'

const none: News = { kind: 'none' }

test('a cause is told when it lasts, and not again', () => {
  const causes = new Causes([], 0)

  expect(causes.look(['a'], 0)).toEqual(none)
  expect(causes.look(['a'], holdMs - 1)).toEqual(none)
  const news = causes.look(['a'], holdMs)
  expect(news).toEqual({ kind: 'red', fresh: ['a'] })
  causes.tell(news, holdMs)
  expect(causes.look(['a'], 2 * holdMs)).toEqual(none)
})

test('what nobody could be told stays to be told', () => {
  const causes = new Causes([], 0)
  causes.look(['a'], 0)

  expect(causes.look(['a'], holdMs)).toEqual(causes.look(['a'], 2 * holdMs))
})

test('what passes by itself is told to nobody, neither red nor green', () => {
  const causes = new Causes([], 0)

  expect(causes.look(['a'], 0)).toEqual(none)
  expect(causes.look([], 1000)).toEqual(none)
  expect(causes.look([], 2 * holdMs)).toEqual(none)
})

test('another cause is told for itself; green comes once, when all are gone for a while', () => {
  const causes = new Causes(['a'], 0)
  causes.look(['a', 'b'], 0)

  const red = causes.look(['a', 'b'], holdMs)
  causes.tell(red, holdMs)
  expect(red).toEqual({ kind: 'red', fresh: ['b'] })
  expect(causes.look([], holdMs + 1)).toEqual(none)
  const green = causes.look([], 2 * holdMs + 1)
  expect(green).toEqual({ kind: 'green' })
  causes.tell(green, 2 * holdMs + 1)
  expect(causes.look([], 9 * holdMs)).toEqual(none)
  expect(causes.told).toEqual([])
})

test('a cause that comes and goes while another lasts is one cause, until it was gone for long', () => {
  const causes = new Causes(['a', 'b'], 0)
  causes.look(['a', 'b'], 0)

  causes.look(['a'], 1000)
  causes.look(['a', 'b'], holdMs)
  expect(causes.look(['a', 'b'], 3 * holdMs)).toEqual(none)
  causes.look(['a'], 4 * holdMs)
  causes.look(['a'], 4 * holdMs + forgetMs)
  causes.look(['a', 'b'], 5 * holdMs + forgetMs)
  expect(causes.look(['a', 'b'], 6 * holdMs + forgetMs)).toEqual({ kind: 'red', fresh: ['b'] })
})
