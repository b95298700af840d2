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
