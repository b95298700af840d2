import { describe, expect, it } from 'vitest'
import type { EntryState, LogEntry } from './api.ts'
import { timeline } from './timeline.ts'

const entry = (state: EntryState, time: number, more: Partial<LogEntry> = {}): LogEntry => ({
  messageId: 'msg_1',
  url: 'https://example.com',
  state,
  time,
  ...more,
})

describe('the attempts of a message', () => {
  it('waits, fails, waits and is delivered', () => {
    const { start, end, attempts, nextAttempt } = timeline([
      entry('CREATED', 0),
      entry('ACTIVE', 100),
      entry('ERROR', 150, { responseStatus: 500, error: 'destination answered 500' }),
      entry('RETRY', 150, { nextDeliveryTime: 1000 }),
      entry('ACTIVE', 1001),
      entry('DELIVERED', 1011, { responseStatus: 200 }),
    ])
    expect({ start, end, nextAttempt }).toEqual({ start: 0, end: 1011, nextAttempt: undefined })
    expect(attempts).toMatchObject([
      { number: 1, state: 'ERROR', waitedFrom: 0, start: 100, end: 150, status: 500 },
      { number: 2, state: 'DELIVERED', waitedFrom: 150, start: 1001, end: 1011, status: 200 },
    ])
  })

  it('says when the next attempt is due, and that one runs', () => {
    const failed = [entry('CREATED', 0), entry('ACTIVE', 1), entry('ERROR', 2), entry('RETRY', 2, { nextDeliveryTime: 9 })] as const
    expect(timeline([...failed])).toMatchObject({ end: undefined, nextAttempt: 9, attempts: [{ status: 0 }] })
    const running = timeline([...failed, entry('ACTIVE', 9)])
    expect(running.nextAttempt).toBeUndefined()
    expect(running.attempts.at(-1)).toMatchObject({ number: 2, state: 'ACTIVE', start: 9 })
    expect(running.attempts.at(-1)?.end).toBeUndefined()
  })

  it('does without entries that are no longer kept', () => {
    expect(timeline([entry('DELIVERED', 5, { responseStatus: 204 })]).attempts).toMatchObject([
      { number: 1, start: 5, end: 5, status: 204 },
    ])
  })
})
