import { expect, test } from 'vitest'
import type { Health } from './api.ts'
import { flagsOf, percent, successTone, summary } from './health.ts'

const health = (attempts: number, successes: number, flags: Health['flags'] = []): Health => ({
  attempts,
  successes,
  flags,
})

test('an endpoint that never succeeded is not called dead beside it', () => {
  expect(flagsOf(health(5, 0, ['dead', 'never_succeeding']))).toEqual(['never_succeeding'])
  expect(flagsOf(health(5, 0, ['dead', 'duplicate']))).toEqual(['dead', 'duplicate'])
})

test('a group is the sum of its endpoints', () => {
  const endpoints = [
    { url: 'https://a.example', health: health(10, 10, ['duplicate']) },
    { url: 'https://A.example', health: health(10, 5, ['duplicate']) },
    { url: 'https://b.example' },
  ]
  expect(summary(endpoints)).toEqual({
    attempts: 20,
    successes: 15,
    flags: [{ flag: 'duplicate', count: 2 }],
  })
  expect(summary([])).toEqual({ attempts: 0, successes: 0, flags: [] })
})

test('one failure among many is not rounded away, nor is one success', () => {
  expect(percent(3, 3)).toBe('100 %')
  expect(percent(9999, 10_000)).toBe('99.9 %')
  expect(percent(1, 10_000)).toBe('0.1 %')
  expect(percent(0, 5)).toBe('0 %')
  expect(percent(2, 3)).toBe('66.7 %')
})

test('a colour says how well', () => {
  expect([successTone(10, 10), successTone(9, 10), successTone(1, 10)]).toEqual(['ok', 'waiting', 'failed'])
})
