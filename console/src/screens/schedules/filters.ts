import type { Filter } from '../../components/Filters.svelte'
import type { Schedule } from './api.ts'

/** What schedules can be narrowed by, here: the API gives all of them at once. */
export const FILTERS: readonly Filter[] = [
  {
    name: 'state',
    label: 'State',
    options: [
      { value: 'active', label: 'Active' },
      { value: 'paused', label: 'Paused' },
      { value: 'failing', label: 'Failing' },
    ],
  },
  { name: 'text', label: 'Text', placeholder: 'Id, destination or label' },
]

export const guess = (text: string) => {
  const state = ['active', 'paused', 'failing'].find((one) => one === text.toLowerCase())
  return state ? { name: 'state', value: state } : { name: 'text', value: text }
}

export function matches(schedule: Schedule, query: URLSearchParams): boolean {
  const state = query.get('state')
  if (state && state !== stateOf(schedule)) return false
  const text = query.get('text')?.toLowerCase()
  if (!text) return true
  const { scheduleId, destination, cron, labels = [], queueName = '' } = schedule
  return [scheduleId, destination, cron, queueName, ...labels].some((part) => part.toLowerCase().includes(text))
}

export const stateOf = (schedule: Schedule) =>
  schedule.isPaused ? 'paused' : schedule.error ? 'failing' : 'active'
