import { expect, test } from 'vitest'
import { ends, moved, scaled } from './stretch.ts'

test('arrows move a point within the chart', () => {
  expect(moved({ at: 3 }, 'ArrowRight', false, 9)).toEqual({ at: 4, from: undefined })
  expect(moved({ at: 9 }, 'ArrowRight', false, 9)).toEqual({ at: 9, from: undefined })
  expect(moved({ at: 3 }, 'Home', false, 9)).toEqual({ at: 0, from: undefined })
  expect(moved({ at: 3 }, 'x', false, 9)).toBeUndefined()
})

test('with Shift they draw a stretch, and without it they let go', () => {
  const drawn = moved({ at: 5 }, 'ArrowLeft', true, 9)
  expect(drawn).toEqual({ at: 4, from: 5 })
  expect(moved(drawn ?? { at: 0 }, 'ArrowLeft', true, 9)).toEqual({ at: 3, from: 5 })
  expect(moved(drawn ?? { at: 0 }, 'End', false, 9)).toEqual({ at: 9, from: undefined })
})

test('a stretch has two ends, a point none', () => {
  expect(ends({ at: 2, from: 6 })).toEqual([2, 6])
  expect(ends({ at: 2, from: 2 })).toBeUndefined()
  expect(ends({ at: 2 })).toBeUndefined()
})

test('time is scaled about a point, which stays where it is', () => {
  const times = [0, 100, 200, 300, 400]
  expect(scaled(times, 2, 0.5)).toEqual([100, 300])
  expect(scaled(times, 4, 2)).toEqual([-400, 400])
  expect(scaled(times, 0, 0.5)).toEqual([0, 200])
  expect(scaled([100], 0, 0.5)).toBeUndefined()
})
