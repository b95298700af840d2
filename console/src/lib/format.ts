/** Numbers, durations and moments, as people read them. */

const NUMBER = new Intl.NumberFormat('en')
const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** 12,345 */
export const number = (value: number) => NUMBER.format(value)

/** 12.3K, for where there is little room. */
export const compact = (value: number) => (value < 10_000 ? NUMBER.format(value) : COMPACT.format(value))

/** "1 message", "12,345 messages" */
export const counted = (count: number, [one, many]: readonly [string, string]) =>
  `${number(count)} ${count === 1 ? one : many}`

/** 820 B, 1.2 kB, 34 MB */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

/** A length of time in at most two units: 0 ms, 340 ms, 4.2 s, 3 min 20 s, 2 h, 5 d 3 h. */
export function duration(ms: number): string {
  if (ms < 0) return `-${duration(-ms)}`
  if (ms < SECOND) return `${Math.round(ms)} ms`
  if (ms < MINUTE) {
    const seconds = ms < 10 * SECOND ? Math.round(ms / 100) / 10 : Math.round(ms / SECOND)
    return seconds < 60 ? `${seconds} s` : '1 min'
  }
  if (ms < HOUR) return two(ms, MINUTE, 'min', SECOND, 's')
  if (ms < DAY) return two(ms, HOUR, 'h', MINUTE, 'min')
  return two(ms, DAY, 'd', HOUR, 'h')
}

function two(ms: number, big: number, bigName: string, small: number, smallName: string): string {
  const whole = Math.floor(ms / big)
  const rest = Math.floor((ms % big) / small)
  return rest ? `${whole} ${bigName} ${rest} ${smallName}` : `${whole} ${bigName}`
}

/** "12 s ago", "in 3 min", "now". */
export function relative(time: number, now: number): string {
  const difference = time - now
  const size = Math.abs(difference)
  if (size < SECOND) return 'now'
  const short = coarse(size)
  return difference < 0 ? `${short} ago` : `in ${short}`
}

function coarse(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`
  return `${Math.floor(ms / DAY)} d`
}

/** 2026-11-26 21:59:07.451, in UTC or in the reader's zone. */
export function moment(time: number, zone: 'utc' | 'local', { millis = false } = {}): string {
  const at = new Date(zone === 'utc' ? time : time - new Date(time).getTimezoneOffset() * MINUTE)
  if (Number.isNaN(at.getTime())) return String(time)
  return at
    .toISOString()
    .slice(0, millis ? 23 : 19)
    .replace('T', ' ')
}

/** Destinations without what all of them have in common. */
export const withoutScheme = (url: string) => url.replace(/^https?:\/\//, '')
