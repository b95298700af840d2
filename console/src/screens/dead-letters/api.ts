/** The calls that only dead letters need. */
import { call, get, ofDeadLetters, type Count, type DeadLetter, type Query } from '../../lib/api.ts'
import type { Step } from '../../lib/sweep.svelte.ts'
import type { Replacement } from './letter.ts'

export interface Cluster extends Count {
  /** 0 where there was no response. */
  responseStatus: number
  host: string
  error?: string
  newestTime: number
}

/** As many as the API touches at once. */
export const AT_ONCE = 100

const path = (id: string) => encodeURIComponent(id)

/** Undefined once it was retried or deleted: by whoever it was, that is no error. */
export async function findDeadLetter(id: string, signal?: AbortSignal): Promise<DeadLetter | undefined> {
  const { messages } = await get<{ messages: DeadLetter[] }>('/v2/dlq', { dlqIds: id }, signal)
  return messages[0]
}
export const listClusters = (query: Query, signal?: AbortSignal) =>
  get<{ clusters: Cluster[]; total: number; capped?: boolean }>('/v2/dlq/clusters', ofDeadLetters(query), signal)
export const deleteDeadLetter = (id: string) => call<void>('DELETE', `/v2/dlq/${path(id)}`)

/** The new message is stored and the dead letter removed at once, or neither. */
export const retryDeadLetter = (id: string, { headers, body }: Replacement = { headers: [], body: null }) =>
  call<{ messageId: string }>('POST', `/v2/dlq/retry/${path(id)}`, { headers, body })

export async function retryNamed(dlqIds: string[]): Promise<number> {
  const { responses } = await call<Retried>('POST', '/v2/dlq/retry', { json: { dlqIds } })
  return responses.length
}

export const deleteNamed = async (dlqIds: string[]) =>
  (await call<{ deleted: number }>('DELETE', '/v2/dlq', { json: { dlqIds } })).deleted

/** One page of what the query describes. */
export async function retryPage(query: Query, cursor: string | undefined): Promise<Step> {
  const page = await call<Retried>('POST', '/v2/dlq/retry', {
    query: { ...ofDeadLetters(query), count: AT_ONCE, cursor },
  })
  return { done: page.responses.length, cursor: page.cursor }
}

export async function deletePage(query: Query, cursor: string | undefined): Promise<Step> {
  const page = await call<{ deleted: number; cursor?: string }>('DELETE', '/v2/dlq', {
    query: { ...ofDeadLetters(query), count: AT_ONCE, cursor },
  })
  return { done: page.deleted, cursor: page.cursor }
}

interface Retried {
  responses: unknown[]
  cursor?: string
}
