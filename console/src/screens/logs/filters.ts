import type { Filter } from '../../components/Filters.svelte'
import { ENTRY_STATES, type Query } from '../../lib/api.ts'
import { STATES } from '../../lib/states.ts'

/** What logs can be narrowed by; the names are the parameters of `GET /v2/logs`. */
export const FILTERS: readonly Filter[] = [
  {
    name: 'state',
    label: 'State',
    options: [
      ...ENTRY_STATES.map((state) => ({ value: state as string, label: STATES[state].label })),
      { value: 'IN_PROGRESS', label: 'In progress' },
    ],
  },
  { name: 'messageId', label: 'Message', placeholder: 'msg_…' },
  { name: 'url', label: 'Destination', placeholder: 'https://example.com/orders' },
  { name: 'host', label: 'Host', placeholder: 'example.com' },
  { name: 'path', label: 'Path', placeholder: '/orders' },
  { name: 'label', label: 'Label' },
  { name: 'queueName', label: 'Queue' },
  { name: 'topicName', label: 'URL group' },
  { name: 'scheduleId', label: 'Schedule', placeholder: 'scd_…' },
  { name: 'flowControlKey', label: 'Flow-control key' },
  { name: 'callerIp', label: 'Caller', placeholder: '203.0.113.7' },
  { name: 'fromDate', label: 'From', kind: 'moment' },
  { name: 'toDate', label: 'To', kind: 'moment' },
]

export function queryOf(parameters: URLSearchParams): Query {
  return Object.fromEntries(FILTERS.map(({ name }) => [name, parameters.get(name) ?? undefined]))
}

/** What somebody who types only a value means. */
export function guess(text: string): { name: string; value: string } {
  if (text.startsWith('msg_')) return { name: 'messageId', value: text }
  if (text.startsWith('scd_')) return { name: 'scheduleId', value: text }
  if (/^https?:\/\//.test(text)) return { name: 'url', value: text }
  if (text.startsWith('/')) return { name: 'path', value: text }
  if (/^[\w-]+(\.[\w-]+)+(:\d+)?$|^localhost(:\d+)?$/.test(text)) return { name: 'host', value: text }
  const state = text.toUpperCase().replaceAll(' ', '_')
  if ((ENTRY_STATES as readonly string[]).includes(state)) return { name: 'state', value: state }
  return { name: 'label', value: text }
}
