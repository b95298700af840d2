import { expect, it, vi } from 'vitest'
import { joinCron, splitCron, words } from './cron.svelte.ts'

it.each([
  ['CRON_TZ=Europe/Berlin 30 7 * * 1-5', { zone: 'Europe/Berlin', fields: '30 7 * * 1-5' }],
  ['TZ=Asia/Tokyo  @daily', { zone: 'Asia/Tokyo', fields: '@daily' }],
  [' */5 * * * * ', { zone: '', fields: '*/5 * * * *' }],
])('parts %s into zone and fields', (text, parts) => {
  expect(splitCron(text)).toEqual(parts)
})

it('puts them together again', () => {
  expect(joinCron({ zone: 'Europe/Berlin', fields: '0 3 * * *' })).toBe('CRON_TZ=Europe/Berlin 0 3 * * *')
  expect(joinCron({ zone: '', fields: ' @hourly ' })).toBe('@hourly')
})

it('says expressions in words, once it knows how', async () => {
  await vi.waitFor(() => expect(words.of('30 7 * * 1-5')).toBe('At 07:30, Monday through Friday'))
  expect(words.of('@daily')).toBe('At 00:00')
  expect(words.of('0 9 LW * *')).toContain('last weekday')
  expect(words.of('nonsense')).toBeUndefined()
})
