import { number } from '../../lib/format.ts'
import type { Setting } from './api.ts'

const LIMITS = 'limits.'
const RETENTION: Record<string, string> = {
  'limits.log_retention': 'Log and finished messages',
  'limits.dlq_retention': 'Dead letters',
  'limits.audit_retention': 'Audit trail',
}
/** Told with what is used of it. */
const USED = ['limits.messages_per_day', 'limits.queues', 'limits.schedules']

export interface Narrowing {
  search: string
  /** Only what is not the default. */
  changed: boolean
}

/** The settings whose name or explanation contains what was typed. */
export function narrowed(settings: readonly Setting[], { search, changed }: Narrowing): Setting[] {
  const text = search.trim().toLowerCase()
  return settings.filter(
    ({ name, help = '', source }) =>
      (!changed || source !== 'default') && [name, help].some((one) => one.toLowerCase().includes(text)),
  )
}

export const valueOf = (settings: readonly Setting[], name: string): string | undefined => {
  const setting = settings.find((one) => one.name === name)
  return setting && String(setting.value)
}

/** A limit that counts something; undefined for none, or where it is not a number. */
export function countOf(settings: readonly Setting[], name: string): number | undefined {
  const value = Number(valueOf(settings, name))
  return Number.isFinite(value) && value > 0 ? value : undefined
}

/** How long things are kept. */
export const retention = (settings: readonly Setting[]): { name: string; value: string }[] =>
  settings.flatMap(({ name, value }) => {
    const label = RETENTION[name]
    return label ? [{ name: label, value: readable(value) }] : []
  })

/** The limits that are neither told with their use nor about how long things are kept. */
export const otherLimits = (settings: readonly Setting[]): { name: string; value: string }[] =>
  settings
    .filter(({ name }) => name.startsWith(LIMITS) && !(name in RETENTION) && !USED.includes(name))
    .map(({ name, value }) => ({ name: words(name.slice(LIMITS.length)), value: readable(value) }))

/** "3d" as "3 d", "15m" as "15 min", "1MiB" as "1 MiB", 1000 as "1,000", as the rest of the console writes them. */
export function readable(value: unknown): string {
  const [, count, unit] = /^(\d+)([a-zA-Z]*)$/.exec(String(value)) ?? []
  if (count === undefined) return String(value)
  return unit ? `${number(Number(count))} ${unit === 'm' ? 'min' : unit}` : number(Number(count))
}

/** `url_groups` as "URL groups". */
function words(name: string): string {
  const text = name.replaceAll('_', ' ').replace(/\burl\b/, 'URL').replace(/\bid\b/, 'id')
  return text.charAt(0).toUpperCase() + text.slice(1)
}
