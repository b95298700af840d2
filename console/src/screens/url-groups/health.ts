import type { Tone } from '../../lib/states.ts'
import type { Endpoint, Flag, Health } from './api.ts'

/** How far back is looked. The server refuses what is longer than it keeps its log. */
export const WINDOWS = [
  { value: '1h', label: 'Last hour' },
  { value: '6h', label: 'Last 6 hours' },
  { value: '1d', label: 'Last day' },
  { value: '3d', label: 'Last 3 days' },
] as const
export const USUAL_WINDOW = '1d'

export const FLAGS: Record<Flag, { label: string; tone: Tone; why: string }> = {
  dead: { label: 'Dead', tone: 'failed', why: 'No attempt in this time succeeded. Repair the receiver, or remove the endpoint.' },
  never_succeeding: {
    label: 'Never succeeded',
    tone: 'failed',
    why: 'No attempt that the log remembers succeeded. The URL was probably never right: correct it, or remove the endpoint.',
  },
  duplicate: {
    label: 'Duplicate',
    tone: 'waiting',
    why: 'Another endpoint is the same URL, so the receiver gets every message twice. Remove one of them.',
  },
}

/** What an endpoint is flagged with; who never succeeded is dead, too, and is not told so twice. */
export const flagsOf = ({ flags }: Health): Flag[] =>
  flags.filter((flag) => flag !== 'dead' || !flags.includes('never_succeeding'))

export interface Summary {
  attempts: number
  successes: number
  flags: { flag: Flag; count: number }[]
}

/** The endpoints of a group taken together. */
export function summary(endpoints: readonly Endpoint[]): Summary {
  const healths = endpoints.flatMap(({ health }) => (health ? [health] : []))
  const all = healths.flatMap(flagsOf)
  return {
    attempts: healths.reduce((sum, { attempts }) => sum + attempts, 0),
    successes: healths.reduce((sum, { successes }) => sum + successes, 0),
    flags: (Object.keys(FLAGS) as Flag[]).flatMap((flag) => {
      const count = all.filter((one) => one === flag).length
      return count > 0 ? [{ flag, count }] : []
    }),
  }
}

/** 98.3 %; 100 % is said of no failure at all, 0 % of no success. */
export function percent(successes: number, attempts: number): string {
  const share = (100 * successes) / attempts
  if (successes === attempts || successes === 0) return `${Math.round(share)} %`
  return `${Math.min(99.9, Math.max(0.1, share)).toFixed(1)} %`
}

export const successTone = (successes: number, attempts: number): Tone =>
  successes === attempts ? 'ok' : successes >= attempts * 0.9 ? 'waiting' : 'failed'
