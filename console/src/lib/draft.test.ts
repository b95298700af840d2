import { describe, expect, it } from 'vitest'
import { draftOf, draftQuery, EMPTY, headersOf, pathOf, readDraft, unlinked, type Draft } from './draft.ts'

const draft = (said: Partial<Draft>): Draft => ({ ...EMPTY, to: 'https://example.com/a', ...said })

describe('the link to a draft', () => {
  it.each<Partial<Draft>>([
    {},
    { when: 'delay', delay: '1h30m' },
    { when: 'delay' },
    { when: 'at', notBefore: '1800000000' },
    { when: 'cron', cron: '0 9 * * *', timezone: 'Europe/Berlin', scheduleId: 'daily' },
    { when: 'now', cron: '0 9 * * *' },
    { method: 'PUT', type: 'text/plain', body: 'a & b\n+ %' },
    { type: '' },
    {
      headers: [
        { name: 'X-Order', value: '7' },
        { name: 'X-Order', value: 'a: b' },
      ],
    },
    { queue: 'orders', retries: '0', contentBasedDeduplication: true, label: 'a, b' },
  ])('brings it back: %o', (said) => {
    expect(readDraft(new URLSearchParams(draftQuery(draft(said)).toString()))).toEqual(draft(said))
  })

  it('says only what is not as usual', () => {
    expect(draftQuery(draft({})).toString()).toBe('to=https%3A%2F%2Fexample.com%2Fa')
    expect(draftQuery({ to: 'orders', body: undefined }).toString()).toBe('to=orders')
  })

  it('leaves secrets and long bodies out, and says so', () => {
    const full = draft({ headers: [{ name: 'Authorization', value: 'Bearer x' }], body: 'x'.repeat(20_000) })
    const linked = readDraft(draftQuery(full))
    expect(linked.headers).toEqual([{ name: 'Authorization', value: '' }])
    expect(linked.body).toBe('')
    expect(unlinked(full)).toContain('Authorization')
    expect(unlinked(draft({}))).toBeUndefined()
  })
})

describe('what is sent', () => {
  it('has a header for each option', () => {
    const said = draft({
      queue: 'orders',
      method: 'PUT',
      type: 'text/plain',
      body: 'hello',
      headers: [
        { name: 'X-Order', value: '7' },
        { name: '', value: 'nobody' },
      ],
      when: 'delay',
      delay: '10s',
      notBefore: '1800000000',
      retries: '0',
      retryDelay: '1000 * pow(2, retried)',
      timeout: '5s',
      callback: 'https://example.com/done',
      failureCallback: 'https://example.com/failed',
      deduplicationId: 'order-7',
      flowControlKey: 'k',
      rate: '5',
      period: '1m',
      label: 'billing',
    })
    expect(pathOf(said)).toBe('/v2/enqueue/orders/https://example.com/a')
    expect(headersOf(said)).toEqual([
      ['Content-Type', 'text/plain'],
      ['Upstash-Method', 'PUT'],
      ['Upstash-Forward-X-Order', '7'],
      ['Upstash-Delay', '10s'],
      ['Upstash-Retries', '0'],
      ['Upstash-Retry-Delay', '1000 * pow(2, retried)'],
      ['Upstash-Timeout', '5s'],
      ['Upstash-Callback', 'https://example.com/done'],
      ['Upstash-Failure-Callback', 'https://example.com/failed'],
      ['Upstash-Deduplication-Id', 'order-7'],
      ['Upstash-Flow-Control-Key', 'k'],
      ['Upstash-Flow-Control-Value', 'rate=5, period=1m'],
      ['Upstash-Label', 'billing'],
    ])
  })

  it('is a schedule where there is a cron expression', () => {
    const said = draft({ when: 'cron', cron: '0 9 * * *', timezone: 'Europe/Berlin', scheduleId: 'daily', queue: 'q', deduplicationId: 'x' })
    expect(pathOf(said)).toBe('/v2/schedules/https://example.com/a')
    expect(headersOf(said)).toEqual([
      ['Upstash-Cron', 'CRON_TZ=Europe/Berlin 0 9 * * *'],
      ['Upstash-Schedule-Id', 'daily'],
      ['Upstash-Queue-Name', 'q'],
    ])
    expect(headersOf({ ...said, timezone: 'UTC' })[0]).toEqual(['Upstash-Cron', '0 9 * * *'])
  })
})

describe('a message from the log', () => {
  const entry = { time: 1, messageId: 'msg_1', state: 'FAILED', url: 'https://example.com/a' } as const

  it('is written once more', () => {
    const said = draftOf({
      ...entry,
      method: 'PUT',
      body: btoa('hello'),
      header: { 'Content-Type': ['text/plain'], 'X-Order': ['7'] },
      timeout: 1500,
      maxRetries: 2,
      period: 60,
    })
    expect(said).toMatchObject({ method: 'PUT', type: 'text/plain', body: 'hello', timeout: '1.5s', retries: '2', period: '60s' })
    expect(said?.headers).toEqual([{ name: 'X-Order', value: '7' }])
  })

  it('is not, where a part is hidden or is no text', () => {
    expect(draftOf({ ...entry, header: { A: [`REDACTED:${'a'.repeat(64)}`] } })).toBeUndefined()
    expect(draftOf({ ...entry, body: btoa('\xff\xfe') })).toBeUndefined()
  })
})
