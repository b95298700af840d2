/** Moments as a wall clock in some zone shows them. */
import { duration, MINUTE, moment } from './format.ts'
import type { CronPreview } from './api.ts'

const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone)
  if (known) return known
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'shortOffset',
  })
  formats.set(zone, format)
  return format
}

/** "Fri 2026-11-27 07:30", and how far the zone is from UTC then: "UTC+1". */
export function wallClock(time: number, zone: string): { text: string; offset: string } {
  const part = Object.fromEntries(formatOf(zone).formatToParts(time).map(({ type, value }) => [type, value]))
  return {
    text: `${part.weekday} ${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}`,
    offset: (part.timeZoneName ?? '').replace('GMT', 'UTC').replace(/\+0$/, ''),
  }
}

type Transition = CronPreview['transitions'][number]

/** A change of the zone's clock in a sentence, with what it means for runs. Offsets are milliseconds. */
export function clockChange({ time, offsetBefore, offsetAfter }: Transition, zone: string): string {
  const step = duration(Math.abs(offsetAfter - offsetBefore))
  const before = wall(time + offsetBefore)
  const after = wall(time + offsetAfter)
  const day = wallClock(time, zone).text.slice(0, 14)
  const change = `On ${day} clocks in ${zone} go ${offsetAfter > offsetBefore ? 'forward' : 'back'} ${step}, from ${before} to ${after}`
  return offsetAfter > offsetBefore
    ? `${change}: a run at a time that is skipped does not happen.`
    : `${change}: a run at a time that comes twice happens the first time only, unless the schedule runs in every hour.`
}

const wall = (local: number) => {
  const minutes = Math.floor(local / MINUTE) % (24 * 60)
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
}

/** What `<input type="datetime-local">` shows of a moment, Unix milliseconds, and back; undefined for what is none. */
export function toInput(time: number, zone: 'utc' | 'local'): string | undefined {
  if (!Number.isInteger(time) || Math.abs(time) > 8.64e15) return undefined
  return moment(time, zone).replace(' ', 'T')
}

export function fromInput(text: string, zone: 'utc' | 'local'): number | undefined {
  const time = new Date(zone === 'utc' ? `${text}Z` : text).getTime()
  return Number.isNaN(time) ? undefined : time
}

/** Every zone that this browser knows, UTC first. */
export const zones = (): string[] => ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')]
