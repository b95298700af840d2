import type { Preview } from '../../lib/api.ts'
import { headersOf, type Draft } from '../../lib/draft.ts'
import { SECOND } from '../../lib/format.ts'
import { fromInput, toInput } from '../../lib/times.ts'

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

/** The draft's moment, Unix seconds, as `<input type="datetime-local">` shows it, and back. */
export const shownMoment = (seconds: string, zone: 'utc' | 'local') =>
  /^\d+$/.test(seconds) ? (toInput(Number(seconds) * SECOND, zone) ?? '') : ''

export function typedMoment(text: string, zone: 'utc' | 'local'): string {
  const time = fromInput(text, zone)
  return time === undefined ? '' : String(Math.max(0, Math.floor(time / SECOND)))
}
