import { describe, expect, it } from 'vitest'
import type { Activity } from '../../lib/api.ts'
import { errorKinds, isStale, logsOf, rate, rates, recent, successShare, windowOf, zoomed } from './figures.ts'

const NONE = { accepted: 0, delivered: 0, failed: 0, deadLettered: 0 }
const window = (search: string) => windowOf(new URLSearchParams(search))

describe('the time that the URL asks for', () => {
  it('is the last hour, another one, or a stretch', () => {
    expect(window('')).toMatchObject({ kind: 'until now', range: { name: '1h' } })
    expect(window('range=7d')).toMatchObject({ kind: 'until now', range: { name: '7d' } })
    expect(window('range=6h&from=1000&to=2000')).toEqual({ kind: 'fixed', from: 1000, to: 2000 })
  })

  it.each(['range=1y', 'from=1000', 'from=2000&to=1000', 'from=a&to=b', 'from=-5&to=5'])('is usual for %s', (search) =>
    expect(window(search)).toMatchObject({ kind: 'until now', range: { name: '1h' } }),
  )

  it('is never so short that nothing is seen', () => {
    expect(zoomed(100_000, 101_000)).toEqual({ from: '90500', to: '110500' })
    expect(zoomed(100_000, 200_000)).toEqual({ from: '100000', to: '200000' })
  })
})

describe('rates', () => {
  const points = [0, 10_000, 20_000].map((time) => ({ ...NONE, time, accepted: 20, failed: 5 }))
  const activity: Activity = { from: 0, to: 30_000, step: 10_000, points, totals: NONE }

  it('are a second', () => expect(rates(activity, 60_000)).toMatchObject({ accepted: [2, 2, 2], failed: [0.5, 0.5, 0.5] }))
  it('count only what is over of the last step', () => expect(rates(activity, 25_000).accepted).toEqual([2, 2, 4]))
  it('of a stretch that is long over are of whole steps', () =>
    expect(rates({ ...activity, to: 30_000 }, 31_000_000).accepted).toEqual([2, 2, 2]))
  it('say nothing of a step that just began', () => expect(rates(activity, 20_500).times).toEqual([0, 10_000]))

  it.each([
    [0, '0'],
    [0.001, '< 0.01'],
    [0.25, '0.25'],
    [9.96, '10.0'],
    [1234.5, '1,235'],
  ])('%d is written %s', (value, words) => expect(rate(value)).toBe(words))

  it('of the last seconds come from pulses', () => {
    const pulses = [9, 1, 3].map((accepted) => ({ ...NONE, time: 0, accepted }))
    expect(recent(pulses, 'accepted', 2)).toBe(2)
    expect(recent([], 'failed')).toBeUndefined()
  })
})

describe('errors', () => {
  it('are told by kind, the most frequent first', () => {
    expect(errorKinds({ ...NONE, errors: { dns: 1, status_5xx: 7 } })).toEqual([
      { kind: 'status_5xx', count: 7 },
      { kind: 'dns', count: 1 },
    ])
    expect(errorKinds(NONE)).toEqual([])
  })

  it('lead to their logs', () => {
    const point = { ...NONE, time: 1000, accepted: 9, failed: 2 }
    const time = { fromDate: '1000', toDate: '10999' }
    expect(logsOf(point, 10_000, false)).toEqual(time)
    expect(logsOf(point, 10_000, true)).toEqual({ ...time, state: 'ERROR' })
    expect(logsOf({ ...point, deadLettered: 1 }, 10_000, true)).toEqual({ ...time, state: 'FAILED' })
    expect(logsOf({ ...NONE, time: 1000, failed: 1 }, 10_000, false)).toEqual({ ...time, state: 'ERROR' })
  })

  it.each([
    [10, 0, '100 %'],
    [99_999, 1, '99.9 %'],
    [1, 2, '33.3 %'],
    [0, 0, undefined],
  ])('of %d and %d attempts %s succeeded', (delivered, failed, share) =>
    expect(successShare({ ...NONE, delivered, failed })).toBe(share),
  )
})

describe('figures', () => {
  it('are read within a second of what happens, and seldom where nothing does', () => {
    expect(isStale(0, 1000, 7500, true)).toBe(true)
    expect(isStale(0, 900, 7500, true)).toBe(false)
    expect(isStale(0, 1000, 30_000, true)).toBe(true)
    expect(isStale(0, 4000, 30_000, false)).toBe(false)
    expect(isStale(0, 30_000, 7 * 86_400_000, false)).toBe(true)
  })
})
