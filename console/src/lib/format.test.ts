import { describe, expect, it } from 'vitest'
import { bytes, compact, counted, duration, moment, relative } from './format.ts'

describe('durations', () => {
  it.each([
    [0, '0 ms'],
    [340.4, '340 ms'],
    [4230, '4.2 s'],
    [59_990, '1 min'],
    [200_000, '3 min 20 s'],
    [7_200_000, '2 h'],
    [445_000_000, '5 d 3 h'],
    [-2000, '-2 s'],
  ])('%d ms is %s', (ms, words) => expect(duration(ms)).toBe(words))
})

describe('moments', () => {
  const now = Date.UTC(2026, 10, 26, 22, 0, 0)

  it('counts from now, either way', () => {
    expect(relative(now - 12_345, now)).toBe('12 s ago')
    expect(relative(now + 180_000, now)).toBe('in 3 min')
    expect(relative(now + 500, now)).toBe('now')
  })

  it('writes UTC with milliseconds where they are asked for', () => {
    expect(moment(now + 451, 'utc')).toBe('2026-11-26 22:00:00')
    expect(moment(now + 451, 'utc', { millis: true })).toBe('2026-11-26 22:00:00.451')
  })
})

describe('numbers', () => {
  it('keeps small ones exact and shortens large ones', () => {
    expect(compact(9_999)).toBe('9,999')
    expect(compact(12_345)).toBe('12.3K')
  })

  it('counts in singular and plural', () => {
    expect(counted(1, ['message', 'messages'])).toBe('1 message')
    expect(counted(1200, ['message', 'messages'])).toBe('1,200 messages')
  })

  it('writes bytes', () => {
    expect(bytes(820)).toBe('820 B')
    expect(bytes(1234)).toBe('1.2 kB')
    expect(bytes(34_000_000)).toBe('34 MB')
  })
})
