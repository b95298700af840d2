import { call, countMessages, get, listMessages, type InFlight } from '../../lib/api.ts'

export interface Queue {
  name: string
  parallelism: number
  createdAt: number
  updatedAt: number
  /** Messages that are not finished. */
  lag: number
  paused: boolean
}

const path = (name: string, action = '') => `/v2/queues/${encodeURIComponent(name)}${action}`

export const listQueues = (signal?: AbortSignal) => get<Queue[]>('/v2/queues', undefined, signal)
/** Makes a queue, or changes one. */
export const putQueue = (queueName: string, parallelism: number) =>
  call<void>('POST', '/v2/queues', { json: { queueName, parallelism } })
export const pauseQueue = (name: string) => call<void>('POST', path(name, '/pause'))
export const resumeQueue = (name: string) => call<void>('POST', path(name, '/resume'))
/** Also cancels what is unfinished in it. */
export const deleteQueue = (name: string) => call<void>('DELETE', path(name))

export const countActive = (queueName: string) => countMessages({ queueName, state: 'active' })

/** As many as are looked at to find the oldest: the first by due time, which retries can move behind younger ones. */
const LOOKED_AT = 20

/** The oldest message that is due; undefined if none is. */
export async function oldest(queueName: string, signal?: AbortSignal): Promise<InFlight | undefined> {
  const state = ['active', 'retrying', 'waiting']
  const { messages } = await listMessages({ queueName, state, count: LOOKED_AT }, signal)
  return messages.reduce<InFlight | undefined>(
    (found, one) => (found && found.createdAt <= one.createdAt ? found : one),
    undefined,
  )
}
