import { get } from '../../lib/api.ts'

/** Of the UTC day; null is no limit. */
export interface Usage {
  day: string
  messages: number
  limit: number | null
  remaining: number | null
  resetsAt: number
}

export const getUsage = (signal?: AbortSignal) => get<Usage>('/v2/usage', undefined, signal)

export interface Setting {
  name: string
  value: unknown
  source: 'default' | 'environment' | 'file' | 'flag'
  sourceName?: string
  help?: string
}

export const listSettings = (signal?: AbortSignal) => get<{ settings: Setting[] }>('/v2/settings', undefined, signal)
