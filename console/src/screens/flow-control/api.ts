import { call, get } from '../../lib/api.ts'

/** A limit of 0 is none; `ratePeriod` is seconds, `ratePeriodStart` Unix seconds. */
export interface FlowKey {
  flowControlKey: string
  waitListSize: number
  parallelismMax: number
  parallelismCount: number
  rateMax: number
  rateCount: number
  ratePeriod: number
  ratePeriodStart: number
  isPaused: boolean
  isPinnedParallelism: boolean
  isPinnedRate: boolean
}

export interface GlobalParallelism {
  parallelismMax: number
  parallelismCount: number
}

export type Pin = { parallelism: number } | { rate: number; period: number }
export type Limit = 'parallelism' | 'rate'

const action = (key: string, word: string, query?: Record<string, number | boolean>) =>
  call<void>('POST', `/v2/flowControl/${encodeURIComponent(key)}/${word}`, { query })

export const listKeys = (search: string, signal?: AbortSignal) =>
  get<FlowKey[]>('/v2/flowControl', { search: search || undefined }, signal)
export const getKey = (key: string, signal?: AbortSignal) =>
  get<FlowKey>(`/v2/flowControl/${encodeURIComponent(key)}`, undefined, signal)
export const getGlobalParallelism = (signal?: AbortSignal) =>
  get<GlobalParallelism>('/v2/globalParallelism', undefined, signal)
export const pauseKey = (key: string) => action(key, 'pause')
export const resumeKey = (key: string) => action(key, 'resume')
/** Fixes limits, whatever messages say. `period` is seconds. */
export const pinKey = (key: string, pin: Pin) => action(key, 'pin', pin)
export const unpinKey = (key: string, limit: Limit) => action(key, 'unpin', { [limit]: true })
export const resetRate = (key: string) => action(key, 'resetRate')
