import type { Preview } from '../../lib/api.ts'
import { headersOf, type Draft } from '../../lib/draft.ts'

/** What the preview is asked with: a publish says its queue in the path, and a preview has no such path. */
export function previewHeaders(draft: Draft): [string, string][] {
  const queue = draft.queue.trim()
  const headers = headersOf(draft)
  return queue && draft.when !== 'cron' ? [...headers, ['Upstash-Queue-Name', queue]] : headers
}

/** The header that a refusal is about; undefined where it names none of ours. */
export const refusedHeader = (refusal: string) => /\bupstash-[a-z-]*[a-z]\b/i.exec(refusal)?.[0].toLowerCase()

export interface Wait {
  number: number
  /** How long after the attempt before it, milliseconds; of the first, after now. */
  after: number
  earliest: number
}

/** The attempts with the time between them, as if every one failed at once. */
export const waits = ({ attempts }: Preview, now: number): Wait[] =>
  attempts.map(({ number, earliest }, index) => ({
    number,
    earliest,
    after: Math.max(0, earliest - (attempts[index - 1]?.earliest ?? now)),
  }))

/** "UTC+1", "UTC-3:30". */
export function offset(ms: number): string {
  const minutes = Math.round(Math.abs(ms) / 60_000)
  const rest = minutes % 60
  return `UTC${ms < 0 ? '-' : '+'}${Math.floor(minutes / 60)}${rest ? `:${String(rest).padStart(2, '0')}` : ''}`
}

/** A moment on the clocks of a zone: "Fri 2026-11-27 09:00". */
export function inZone(time: number, timezone: string): string {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    weekday: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(time)
  const said = Object.fromEntries(parts.map(({ type, value }) => [type, value]))
  return `${said.weekday} ${said.year}-${said.month}-${said.day} ${said.hour}:${said.minute}`
}

/** What `<input type="datetime-local">` shows of Unix seconds, and back. */
export function toLocalInput(seconds: string, zone: 'utc' | 'local'): string {
  const time = Number(seconds) * 1000
  if (!/^\d+$/.test(seconds) || time > 8.64e15) return ''
  const shift = zone === 'utc' ? 0 : new Date(time).getTimezoneOffset() * 60_000
  return new Date(time - shift).toISOString().slice(0, 19)
}

export function fromLocalInput(text: string, zone: 'utc' | 'local'): string {
  const time = new Date(zone === 'utc' ? `${text}Z` : text).getTime()
  return Number.isNaN(time) ? '' : String(Math.max(0, Math.floor(time / 1000)))
}
