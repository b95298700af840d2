import { expect, test } from 'vitest'
import type { Setting } from './api.ts'
import { countOf, narrowed, otherLimits, readable, retention, valueOf } from './settings.ts'

const setting = (name: string, value: string, source: Setting['source'] = 'default', help = ''): Setting => ({
  name,
  value,
  source,
  help,
})

const SETTINGS = [
  setting('port', '8191', 'flag', 'port to listen on'),
  setting('workers', '1', 'default', 'processes that share a port'),
  setting('limits.queues', '1000'),
  setting('limits.messages_per_day', 'none'),
  setting('limits.log_retention', '3d'),
  setting('limits.url_groups', '1000'),
  setting('limits.deduplication_id_length', '256'),
]

test('settings are narrowed by what they are called and by what they do', () => {
  const names = (search: string, changed = false) => narrowed(SETTINGS, { search, changed }).map(({ name }) => name)
  expect(names(' PORT ')).toEqual(['port', 'workers'])
  expect(names('', true)).toEqual(['port'])
  expect(names('queues', true)).toEqual([])
})

test('a limit that is none counts nothing', () => {
  expect(countOf(SETTINGS, 'limits.queues')).toBe(1000)
  expect(countOf(SETTINGS, 'limits.messages_per_day')).toBeUndefined()
  expect(countOf(SETTINGS, 'limits.nothing')).toBeUndefined()
  expect(valueOf(SETTINGS, 'port')).toBe('8191')
})

test('every limit is told once', () => {
  expect(retention(SETTINGS)).toEqual([{ name: 'Log and finished messages', value: '3 d' }])
  expect(otherLimits(SETTINGS)).toEqual([
    { name: 'URL groups', value: '1,000' },
    { name: 'Deduplication id length', value: '256' },
  ])
})

test('limits are written as the rest of the console writes lengths of time, sizes and counts', () => {
  expect(['15m', '365d', '1MiB', 1000, 'unlimited', '1h30m'].map(readable)).toEqual([
    '15 min',
    '365 d',
    '1 MiB',
    '1,000',
    'unlimited',
    '1h30m',
  ])
})
