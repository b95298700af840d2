import type { Activity, ErrorKind, Figures, Status } from '../../lib/api.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../../lib/format.ts'
import type { Pulse } from '../../lib/live.svelte.ts'

export const RANGES = [
  { name: '15m', label: '15 min', ms: 15 * MINUTE },
  { name: '1h', label: '1 h', ms: HOUR },
  { name: '6h', label: '6 h', ms: 6 * HOUR },
  { name: '24h', label: '24 h', ms: DAY },
  { name: '7d', label: '7 d', ms: 7 * DAY },
] as const
export type RangeName = (typeof RANGES)[number]['name']
export const USUAL_RANGE: RangeName = '1h'

export type Window = { kind: 'until now'; range: (typeof RANGES)[number] } | { kind: 'fixed'; from: number; to: number }

/** What the URL asks for: `range=6h` up to now, or from one moment to another. */
export function windowOf(query: URLSearchParams): Window {
  const from = Number(query.get('from') ?? NaN)
  const to = Number(query.get('to') ?? NaN)
  if (Number.isSafeInteger(from) && Number.isSafeInteger(to) && 0 <= from && from < to) return { kind: 'fixed', from, to }
  const named = RANGES.find(({ name }) => name === query.get('range'))
  return { kind: 'until now', range: named ?? RANGES[1] }
}

/** A stretch that was drawn over, at least some steps long, so that there is something to see. */
export function zoomed(from: number, to: number): { from: string; to: string } {
  const least = 20 * SECOND
  const middle = (from + to) / 2
  const half = Math.max(to - from, least) / 2
  return { from: String(Math.max(0, Math.round(middle - half))), to: String(Math.round(middle + half)) }
}

export const isNothing = ({ accepted, delivered, failed, deadLettered }: Figures) =>
  accepted + delivered + failed + deadLettered === 0

/** Nothing is on its way, given up or planned. */
export const isUnused = ({ inFlight, deadLetters, schedules }: Status) =>
  Object.values(inFlight).every((count) => count === 0) && deadLetters === 0 && schedules === 0

/** Figures, and when they were asked for: they count what was known then. */
export type Read = Activity & { readAt: number }

export interface Rates {
  times: number[]
  accepted: number[]
  delivered: number[]
  failed: number[]
}

/**
 * Of the last step only a part may be over: its rate is of that part, and of too short a part there is none. `now` is
 * when the figures were asked for: later than that nothing is counted.
 */
export function rates({ points, step, to }: Activity, now: number): Rates {
  const shown: Rates = { times: [], accepted: [], delivered: [], failed: [] }
  for (const point of points) {
    const ms = Math.min(step, Math.min(to, now) - point.time)
    if (ms < Math.min(step, Math.max(SECOND, step / 4))) continue
    shown.times.push(point.time)
    for (const name of ['accepted', 'delivered', 'failed'] as const) shown[name].push((point[name] * SECOND) / ms)
  }
  return shown
}

export const ERROR_KINDS: Record<ErrorKind, string> = {
  status_3xx: '3xx',
  status_4xx: '4xx',
  status_5xx: '5xx',
  timeout: 'Timeout',
  connect: 'Connection',
  dns: 'DNS',
  tls: 'TLS',
  blocked: 'Blocked',
  other: 'Other',
}

/** The kinds of errors that there were, the most frequent first. */
export function errorKinds({ errors = {} }: Figures): { kind: ErrorKind; count: number }[] {
  return (Object.keys(ERROR_KINDS) as ErrorKind[])
    .map((kind) => ({ kind, count: errors[kind] ?? 0 }))
    .filter(({ count }) => count > 0)
    .sort((one, other) => other.count - one.count)
}

/** The logs of a point: of failures where failures were pressed, or where there was nothing else. */
export function logsOf(point: Figures & { time: number }, step: number, failures: boolean): Record<string, string> {
  const failed = failures || (point.delivered === 0 && point.accepted === 0)
  const state = point.deadLettered > 0 ? 'FAILED' : point.failed > 0 ? 'ERROR' : undefined
  return {
    ...(failed && state ? { state } : {}),
    fromDate: String(point.time),
    toDate: String(point.time + step - 1),
  }
}

/** The share of attempts that succeeded, as in "99.8 %"; undefined where there were none. */
export function successShare({ delivered, failed }: Figures): string | undefined {
  const attempts = delivered + failed
  if (attempts === 0) return undefined
  const share = (100 * delivered) / attempts
  // 100 is only said of all of them.
  return `${share === 100 ? '100' : Math.min(99.9, Math.floor(share * 10) / 10).toFixed(1)} %`
}

/** A rate a second: two digits where it is small. */
export function rate(value: number): string {
  if (value === 0) return '0'
  if (value < 0.01) return '< 0.01'
  if (value < 1) return value.toFixed(2)
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en')
}

/** The rate of the last seconds, of one thing that pulses count; undefined before the first of them. */
export function recent(pulses: readonly Pulse[], name: 'accepted' | 'delivered' | 'failed', seconds = 10): number | undefined {
  const counted = pulses.slice(-seconds)
  return counted.length === 0 ? undefined : counted.reduce((sum, pulse) => sum + pulse[name], 0) / counted.length
}

const EVERY_MS = 30 * SECOND

/**
 * Whether the figures are to be read anew: soon after something happened, else when a new step begins. The longer the
 * time that is shown, the less one second changes it.
 */
export function isStale(readAt: number, now: number, step: number, happened: boolean): boolean {
  const wait = happened ? Math.min(5 * SECOND, Math.max(SECOND, step / 30)) : Math.min(EVERY_MS, Math.max(2 * SECOND, step))
  return now - readAt >= wait
}
