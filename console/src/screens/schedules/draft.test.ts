import { describe, expect, it } from 'vitest'
import type { Schedule } from './api.ts'
import { draftOf, editOf, NEW, redactedPart, requestOf, type Draft } from './draft.ts'

const REDACTED = `REDACTED:${'ab'.repeat(32)}`
const SCHEDULE: Schedule = {
  scheduleId: 'kept',
  cron: 'CRON_TZ=Europe/Berlin 0 3 * * *',
  createdAt: 1,
  destination: 'https://example.com/orders',
  method: 'PUT',
  retries: 5,
  isPaused: false,
  header: { 'Content-Type': ['application/json'], 'X-Order': ['7', '8'], 'X-Key': [REDACTED] },
  body: '{"a":1}',
  delay: 60,
  callback: 'https://example.com/callback',
  callbackHeader: { 'X-Report': ['9'] },
  flowControlKey: 'mail',
  rate: 5,
  period: 60,
  labels: ['a', 'b'],
  jitter: 300,
}
const BEFORE = draftOf(SCHEDULE)
const edit = (changes: Partial<Draft>) => editOf(BEFORE, { ...structuredClone(BEFORE), ...changes })
const NOTHING = { destination: undefined, headers: [], body: null }

describe('an edit', () => {
  it('says nothing where nothing was changed', () => {
    expect(edit({})).toEqual(NOTHING)
  })

  it('says the one thing that was changed', () => {
    expect(edit({ fields: '0 4 * * *' })).toEqual({
      ...NOTHING,
      headers: [['Upstash-Cron', 'CRON_TZ=Europe/Berlin 0 4 * * *']],
    })
    expect(edit({ destination: ' https://example.com/other ' })).toEqual({
      ...NOTHING,
      destination: 'https://example.com/other',
    })
  })

  it('names what was emptied', () => {
    const { headers } = edit({ delay: '', callback: ' ', labels: 'c' })
    expect(headers).toEqual([
      ['Upstash-Label', 'c'],
      ['Outrider-Unset', 'Upstash-Delay, Upstash-Callback'],
    ])
  })

  it('says the key of flow control with its limits', () => {
    expect(edit({ flowControlValue: 'rate=6, period=1m' }).headers).toEqual([
      ['Upstash-Flow-Control-Key', 'mail'],
      ['Upstash-Flow-Control-Value', 'rate=6, period=1m'],
    ])
  })

  it('says the headers that were changed, and leaves the others, hidden ones too', () => {
    const headers = [
      { name: 'X-Order', value: '7' },
      { name: 'X-Key', value: REDACTED },
      { name: 'X-New', value: '1' },
    ]
    expect(edit({ headers }).headers).toEqual([
      ['Upstash-Forward-x-order', '7'],
      ['Upstash-Forward-x-new', '1'],
      ['Outrider-Unset', 'Upstash-Forward-content-type'],
    ])
  })

  it('sends a body only where it is another', () => {
    expect(new TextDecoder().decode(edit({ body: '{}' }).body!)).toBe('{}')
    expect(edit({ body: '' })).toEqual({ ...NOTHING, headers: [['Outrider-Unset', 'body']] })
  })

  it('keeps a body that cannot be shown', () => {
    for (const hidden of [{ body: REDACTED }, { body: undefined, bodyBase64: '/w==' }]) {
      const before = draftOf({ ...SCHEDULE, ...hidden })
      expect(before.body).toBeNull()
      expect(editOf(before, { ...before, body: null })).toEqual(NOTHING)
      expect(editOf(before, { ...before, body: '' }).headers).toEqual([['Outrider-Unset', 'body']])
    }
  })
})

it('would not send a fingerprint', () => {
  expect(redactedPart(edit({}))).toBeUndefined()
  const renamed = BEFORE.headers.map((row) => (row.name === 'X-Key' ? { ...row, name: 'X-Other' } : row))
  expect(redactedPart(edit({ headers: renamed }))).toBe('x-other')
})

it('says of a new one what was written', () => {
  const { headers, body } = requestOf({ ...NEW, destination: 'https://example.com', queue: 'orders', body: 'x' })
  expect(headers).toEqual([
    ['Upstash-Cron', '0 * * * *'],
    ['Upstash-Method', 'POST'],
    ['Upstash-Queue-Name', 'orders'],
    ['Content-Type', 'application/json'],
  ])
  expect(new TextDecoder().decode(body!)).toBe('x')
})
