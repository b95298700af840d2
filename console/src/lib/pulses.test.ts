import { expect, it } from 'vitest'
import type { Activity } from './api.ts'
import { remembered } from './pulses.ts'

const NONE = { accepted: 0, delivered: 0, failed: 0, deadLettered: 0 }
const point = (time: number, accepted: number) => ({ ...NONE, time, accepted })
const ACTIVITY: Activity = {
  from: 10_000,
  to: 15_500,
  step: 1000,
  points: [point(10_000, 1), point(11_000, 2), point(12_000, 3), point(13_000, 4), point(14_000, 5), point(15_000, 6)],
  totals: NONE,
}

it('knows of whole seconds that are added up', () => {
  expect(remembered(ACTIVITY, []).map(({ time, accepted }) => [time, accepted])).toEqual([
    [11_000, 1],
    [12_000, 2],
    [13_000, 3],
  ])
})

it('tells no second twice', () => {
  const told = [{ ...NONE, time: 13_200, accepted: 9 }]
  expect(remembered(ACTIVITY, told).map(({ time, accepted }) => [time, accepted])).toEqual([
    [11_000, 1],
    [12_000, 2],
    [13_200, 9],
  ])
})

it('takes nothing from longer steps', () => {
  expect(remembered({ ...ACTIVITY, step: 10_000 }, [])).toEqual([])
})
