import { call, countMessages, get } from '../../lib/api.ts'

export interface Queue {
  name: string
  parallelism: number
  createdAt: number
  updatedAt: number
  /** Messages that are not finished. */
  lag: number
  paused: boolean
  /** The message that was published first of those that wait and those on their way. */
  oldest?: { messageId: string; createdAt: number }
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
