import type { Filter } from '../components/Filters.svelte'
import type { Query } from './api.ts'

/** What everything that is about messages can be narrowed by; the names are the parameters of the API. */
export const MESSAGE_FILTERS: readonly Filter[] = [
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

/** What of the page's query the API is asked with. */
export function askedOf(filters: readonly Filter[], parameters: URLSearchParams): Query {
  return Object.fromEntries(filters.map(({ name }) => [name, parameters.get(name) ?? undefined]))
}

/** What somebody who types only a value means. */
export function guessMessageFilter(text: string): { name: string; value: string } {
  if (text.startsWith('msg_')) return { name: 'messageId', value: text }
  if (text.startsWith('scd_')) return { name: 'scheduleId', value: text }
  if (/^https?:\/\//.test(text)) return { name: 'url', value: text }
  if (text.startsWith('/')) return { name: 'path', value: text }
  if (/^[\w-]+(\.[\w-]+)+(:\d+)?$|^localhost(:\d+)?$/.test(text)) return { name: 'host', value: text }
  return { name: 'label', value: text }
}

/**
 * The same query, of nothing that comes after this moment: what is counted when somebody is asked is then what is
 * touched afterwards, and not what was published while they read the question.
 */
export function upTo(query: Query, now: number): Query {
  const said = query.toDate === undefined ? now : Number(query.toDate)
  return { ...query, toDate: Math.min(said, now) }
}
