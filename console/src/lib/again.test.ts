import { describe, expect, it } from 'vitest'
import type { LogEntry } from './api.ts'
import { again } from './again.ts'

const ENTRY: LogEntry = { time: 1, messageId: 'msg_1', state: 'FAILED', url: 'https://example.com/orders' }

describe('publishing a message again', () => {
  it('sends what was sent', () => {
    const publication = again({
      ...ENTRY,
      method: 'PUT',
      maxRetries: 2,
      timeout: 1500,
      queueName: 'orders',
      body: btoa('hello'),
      header: { 'Content-Type': ['text/plain'], 'X-Order': ['7'] },
      flowControlKey: 'k',
      rate: 5,
      period: 60,
    })
    expect(publication).toEqual({
      destination: 'https://example.com/orders',
      queue: 'orders',
      body: new TextEncoder().encode('hello'),
      headers: [
        ['Content-Type', 'text/plain'],
        ['Upstash-Forward-X-Order', '7'],
        ['Upstash-Method', 'PUT'],
        ['Upstash-Retries', '2'],
        ['Upstash-Timeout', '2s'],
        ['Upstash-Flow-Control-Key', 'k'],
        ['Upstash-Flow-Control-Value', 'rate=5, period=60s'],
      ],
    })
  })

  it('is refused where a value is hidden', () => {
    const hidden = `REDACTED:${'a'.repeat(64)}`
    expect(again({ ...ENTRY, header: { Authorization: [hidden] } })).toBeUndefined()
    expect(again({ ...ENTRY, body: btoa(hidden) })).toBeUndefined()
  })
})
