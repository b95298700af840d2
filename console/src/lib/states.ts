import type { EntryState, MessageState } from './api.ts'

/** What a colour means, everywhere. */
export type Tone = 'ok' | 'waiting' | 'failed' | 'paused' | 'accent' | 'neutral'

/** The states of messages and of log entries, in the words and colours of the console. */
export const STATES: Record<EntryState | MessageState, { label: string; tone: Tone }> = {
  CREATED: { label: 'Created', tone: 'neutral' },
  ACTIVE: { label: 'Active', tone: 'accent' },
  RETRY: { label: 'Retrying', tone: 'waiting' },
  ERROR: { label: 'Error', tone: 'failed' },
  DELIVERED: { label: 'Delivered', tone: 'ok' },
  FAILED: { label: 'Failed', tone: 'failed' },
  CANCEL_REQUESTED: { label: 'Canceling', tone: 'paused' },
  CANCELED: { label: 'Canceled', tone: 'paused' },
  active: { label: 'Active', tone: 'accent' },
  retrying: { label: 'Retrying', tone: 'waiting' },
  delayed: { label: 'Delayed', tone: 'neutral' },
  waiting: { label: 'Waiting', tone: 'waiting' },
}

export const isFinal = (state: EntryState) => state === 'DELIVERED' || state === 'FAILED' || state === 'CANCELED'

/** 0 is no response at all. */
export const statusTone = (status: number): Tone =>
  status === 0 || status >= 500 ? 'failed' : status >= 400 ? 'waiting' : status >= 300 ? 'neutral' : 'ok'
