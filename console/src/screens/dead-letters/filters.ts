import type { Filter } from '../../components/Filters.svelte'
import type { Query } from '../../lib/api.ts'
import { askedOf, guessMessageFilter, MESSAGE_FILTERS } from '../../lib/filters.ts'
import type { Cluster } from './api.ts'

/** What dead letters can be narrowed by; the names are the parameters of `GET /v2/dlq`. */
export const FILTERS: readonly Filter[] = [
  { name: 'responseStatus', label: 'Answer', placeholder: '500, or 0 for none' },
  ...MESSAGE_FILTERS,
]

export const queryOf = (parameters: URLSearchParams): Query => askedOf(FILTERS, parameters)

/** Of all clusters, so that one can be chosen after the other. */
export const clusterQueryOf = (query: Query): Query => ({ ...query, responseStatus: undefined, host: undefined })

export const isChosen = (cluster: Cluster, parameters: URLSearchParams) =>
  parameters.get('responseStatus') === String(cluster.responseStatus) && parameters.get('host') === cluster.host

/** The page's query with this cluster alone; without it, if it is chosen already. */
export function choosing(cluster: Cluster, parameters: URLSearchParams): URLSearchParams {
  const query = new URLSearchParams(parameters)
  if (isChosen(cluster, parameters)) {
    query.delete('responseStatus')
    query.delete('host')
  } else {
    query.set('responseStatus', String(cluster.responseStatus))
    query.set('host', cluster.host)
  }
  return query
}

/** What somebody who types only a value means. */
export function guess(text: string): { name: string; value: string } {
  if (/^([1-5]\d\d|0)$/.test(text)) return { name: 'responseStatus', value: text }
  return guessMessageFilter(text)
}
