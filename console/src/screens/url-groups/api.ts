import { call, get, publish } from '../../lib/api.ts'
import { isJson } from '../../lib/payload.ts'

export type Flag = 'dead' | 'never_succeeding' | 'duplicate'

/** How an endpoint fared in the window that was asked for. */
export interface Health {
  attempts: number
  successes: number
  flags: Flag[]
  /** From 0 to 1; absent without an attempt. */
  successRate?: number
  lastSuccessTime?: number
  lastError?: string
  lastErrorTime?: number
  latencyP50?: number
  latencyP95?: number
  /** The URLs that are the same, spelled otherwise. */
  duplicateOf?: string[]
}

export interface Endpoint {
  url: string
  name?: string
  health?: Health
}

export interface UrlGroup {
  name: string
  createdAt: number
  updatedAt: number
  endpoints: Endpoint[]
  /** Laid beneath every publish to the group. */
  headers?: Record<string, string[]>
}

const path = (name: string, below = '') => `/v2/url-groups/${encodeURIComponent(name)}${below}`

export const listGroups = (signal?: AbortSignal) => get<UrlGroup[]>('/v2/url-groups', undefined, signal)
/** With the health of its endpoints, over a window such as `6h`. */
export const getGroup = (name: string, window: string, signal?: AbortSignal) =>
  get<UrlGroup>(path(name), { health: true, window }, signal)
/** The group is made by its first endpoint. */
export const addEndpoint = (group: string, endpoint: { url: string; name?: string }) =>
  call<void>('POST', path(group, '/endpoints'), { json: { endpoints: [endpoint] } })
/** The group goes with its last endpoint. */
export const removeEndpoint = (group: string, { url }: Endpoint) =>
  call<void>('DELETE', path(group, '/endpoints'), { json: { endpoints: [{ url }] } })
export const deleteGroup = (name: string) => call<void>('DELETE', path(name))

export const TEST_LABEL = 'endpoint-test'

/** One message straight to an endpoint, not retried. Resolves to its id. */
export async function publishTest({ url }: Endpoint, body: string): Promise<string> {
  const headers = {
    'Content-Type': isJson(body) ? 'application/json' : 'text/plain; charset=utf-8',
    'Upstash-Label': TEST_LABEL,
    'Upstash-Retries': '0',
  }
  const answer = await publish(url, headers, body)
  const made = Array.isArray(answer) ? answer[0] : answer
  if (!made) throw new Error('The server answered without a message.')
  return made.messageId
}
