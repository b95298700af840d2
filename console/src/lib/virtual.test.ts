import { describe, expect, it } from 'vitest'
import { MOST_PIXELS, scrolledHeight, scrollTopFor, seenRows } from './virtual.ts'

const million = { rows: 1_000_000, rowHeight: 40, height: 800 }

describe('rows of a long list', () => {
  it('shows a few more rows than fit', () => {
    expect(seenRows({ rows: 1000, rowHeight: 40, height: 400, scrollTop: 4000 })).toEqual({
      first: 92,
      end: 118,
      offset: 3680,
    })
  })

  it('stays within the list', () => {
    expect(seenRows({ rows: 3, rowHeight: 40, height: 400, scrollTop: 0 })).toEqual({ first: 0, end: 3, offset: 0 })
    expect(seenRows({ rows: 0, rowHeight: 40, height: 400, scrollTop: 0 })).toEqual({ first: 0, end: 0, offset: 0 })
  })

  it('never makes an element higher than a browser can show', () => {
    expect(scrolledHeight(1_000_000, 40)).toBe(MOST_PIXELS)
  })

  it('reaches the last of a million rows at the end of the scrollbar', () => {
    const seen = seenRows({ ...million, scrollTop: MOST_PIXELS - million.height })
    expect(seen.end).toBe(1_000_000)
    const bottom = seen.offset + (seen.end - seen.first) * million.rowHeight
    expect(bottom).toBeCloseTo(MOST_PIXELS, 3)
  })

  it('scrolls to any row of a million, and no further than needed', () => {
    for (const row of [0, 1, 499_999, 999_999]) {
      const scrollTop = scrollTopFor(row, { ...million, scrollTop: 7_000_000 })
      const seen = seenRows({ ...million, scrollTop })
      expect(seen.first).toBeLessThanOrEqual(row)
      expect(seen.end).toBeGreaterThan(row)
    }
    expect(scrollTopFor(3, { ...million, scrollTop: 0 })).toBe(0)
  })
})
