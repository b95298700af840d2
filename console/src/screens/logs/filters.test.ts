import { describe, expect, it } from 'vitest'
import { guess, queryOf } from './filters.ts'

describe('what is typed in the search of logs', () => {
  it.each([
    ['msg_01M8', 'messageId'],
    ['scd_7', 'scheduleId'],
    ['https://example.com/a', 'url'],
    ['/orders', 'path'],
    ['example.com', 'host'],
    ['127.0.0.1:8080', 'host'],
    ['localhost:3000', 'host'],
    ['nightly', 'label'],
  ])('%s is a %s', (text, name) => expect(guess(text)).toEqual({ name, value: text }))

  it('knows states, in any case', () => {
    expect(guess('failed')).toEqual({ name: 'state', value: 'FAILED' })
  })
})

it('asks the API with what is in the URL, and nothing else', () => {
  const query = queryOf(new URLSearchParams('state=FAILED&tab=response'))
  expect(Object.entries(query).filter(([, value]) => value !== undefined)).toEqual([['state', 'FAILED']])
})
