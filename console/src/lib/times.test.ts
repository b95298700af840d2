import { describe, expect, it } from 'vitest'
import { clockChange, wallClock, zones } from './times.ts'

it('shows a moment as clocks there do, and how far they are from UTC', () => {
  const time = Date.UTC(2026, 10, 27, 6, 30)
  expect(wallClock(time, 'Europe/Berlin')).toEqual({ text: 'Fri 2026-11-27 07:30', offset: 'UTC+1' })
  expect(wallClock(time, 'Asia/Kolkata')).toEqual({ text: 'Fri 2026-11-27 12:00', offset: 'UTC+5:30' })
  expect(wallClock(time, 'UTC')).toEqual({ text: 'Fri 2026-11-27 06:30', offset: 'UTC' })
})

describe('a change of clocks', () => {
  const HOUR = 3_600_000

  it('says what is skipped in spring', () => {
    const time = Date.UTC(2027, 2, 28, 1)
    const said = clockChange({ time, offsetBefore: HOUR, offsetAfter: 2 * HOUR }, 'Europe/Berlin')
    expect(said).toBe(
      'On Sun 2027-03-28 clocks in Europe/Berlin go forward 1 h, from 02:00 to 03:00: a run at a time that is skipped does not happen.',
    )
  })

  it('says what comes twice in autumn', () => {
    const time = Date.UTC(2027, 9, 31, 1)
    expect(clockChange({ time, offsetBefore: 2 * HOUR, offsetAfter: HOUR }, 'Europe/Berlin')).toContain(
      'go back 1 h, from 03:00 to 02:00',
    )
  })
})

it('offers UTC first, and each zone once', () => {
  expect(zones()[0]).toBe('UTC')
  expect(new Set(zones()).size).toBe(zones().length)
})
