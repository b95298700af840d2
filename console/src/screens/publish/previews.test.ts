import { describe, expect, it } from 'vitest'
import { EMPTY } from '../../lib/draft.ts'
import { previewHeaders, refusedHeader, shownMoment, typedMoment, waits } from './previews.ts'

describe('a preview', () => {
  it('is asked with the queue among its headers, once', () => {
    expect(previewHeaders({ ...EMPTY, queue: 'orders' })).toEqual([['Upstash-Queue-Name', 'orders']])
    expect(previewHeaders({ ...EMPTY, queue: 'orders', when: 'cron', cron: '@daily' })).toEqual([
      ['Upstash-Cron', '@daily'],
      ['Upstash-Queue-Name', 'orders'],
    ])
  })

  it('finds the header that was refused', () => {
    expect(refusedHeader("Upstash-Retry-Delay '1 +' ends too early")).toBe('upstash-retry-delay')
    expect(refusedHeader("header 'Upstash-Delay: x' is not a duration")).toBe('upstash-delay')
    expect(refusedHeader('there is no URL group orders')).toBeUndefined()
  })

  it('says how long each attempt waits', () => {
    const attempts = [
      { number: 1, earliest: 5000 },
      { number: 2, earliest: 17_000 },
    ]
    expect(waits({ attempts } as never, 1000).map(({ after }) => after)).toEqual([4000, 12_000])
    expect(waits({ attempts } as never, 6000)[0]?.after).toBe(0)
  })
})

describe('moments', () => {
  it.each(['utc', 'local'] as const)('are typed in %s and kept in Unix seconds', (zone) => {
    expect(typedMoment(shownMoment('1800000000', zone), zone)).toBe('1800000000')
    expect(shownMoment('soon', zone)).toBe('')
    expect(typedMoment('', zone)).toBe('')
  })

  it('are UTC where that was chosen', () => expect(shownMoment('1800000000', 'utc')).toBe('2027-01-15T08:00:00'))
})
