import type { EntryState, LogEntry } from './api.ts'

export interface Attempt {
  /** From 1. */
  number: number
  state: EntryState
  /** When the wait for it began: when the message was accepted, or the attempt before had failed. */
  waitedFrom: number
  start: number
  /** Undefined while it runs. */
  end?: number
  status?: number
  error?: string
  /** The entry that ended it, with what the destination answered. */
  entry: LogEntry
}

export interface Timeline {
  start: number
  /** Undefined while the message is on its way. */
  end?: number
  attempts: Attempt[]
  /** When the next attempt is due, if one is. */
  nextAttempt?: number
}

/** What happened to one message, attempt by attempt; entries in the order in which they happened, at least one. */
export function timeline(entries: readonly [LogEntry, ...LogEntry[]]): Timeline {
  const attempts: Attempt[] = []
  let waitedFrom = entries[0].time
  let running: Attempt | undefined
  let nextAttempt: number | undefined
  let end: number | undefined
  for (const entry of entries) {
    switch (entry.state) {
      case 'CREATED':
      case 'CANCEL_REQUESTED':
        nextAttempt = entry.nextDeliveryTime ?? nextAttempt
        break
      case 'ACTIVE':
        running = { number: attempts.length + 1, state: 'ACTIVE', waitedFrom, start: entry.time, entry }
        attempts.push(running)
        nextAttempt = undefined
        break
      case 'RETRY':
        nextAttempt = entry.nextDeliveryTime
        break
      case 'ERROR':
      case 'DELIVERED':
        running ??= began(attempts, waitedFrom, entry)
        Object.assign(running, { state: entry.state, end: entry.time, error: entry.error, entry })
        // An error without an answer came from the way there.
        running.status = entry.responseStatus ?? (entry.state === 'ERROR' ? 0 : undefined)
        waitedFrom = entry.time
        running = undefined
        if (entry.state === 'DELIVERED') end = entry.time
        break
      case 'FAILED':
      case 'CANCELED':
        end = entry.time
        nextAttempt = undefined
        if (running) Object.assign(running, { state: entry.state, end: entry.time })
        break
    }
  }
  return { start: entries[0].time, end, attempts, nextAttempt }
}

/** An attempt whose start is no longer kept. */
function began(attempts: Attempt[], waitedFrom: number, entry: LogEntry): Attempt {
  const attempt: Attempt = { number: attempts.length + 1, state: 'ACTIVE', waitedFrom, start: entry.time, entry }
  attempts.push(attempt)
  return attempt
}
