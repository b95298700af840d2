/** The calls that only schedules need. */
import { call, get, listLoggedMessages, type EntryState, type HeaderLists } from '../../lib/api.ts'
import type { Edit } from './draft.ts'

export type RunState = 'IN_PROGRESS' | 'SUCCESS' | 'FAIL'

/** `delay`, `timeout`, `jitter` and `period` are seconds. */
export interface Schedule {
  scheduleId: string
  cron: string
  createdAt: number
  /** A URL, or the name of a URL group. */
  destination: string
  method: string
  retries: number
  isPaused: boolean
  header: HeaderLists
  body?: string
  bodyBase64?: string
  delay?: number
  timeout?: number
  callback?: string
  failureCallback?: string
  callbackHeader?: HeaderLists
  failureCallbackHeader?: HeaderLists
  queueName?: string
  callerIP?: string
  flowControlKey?: string
  parallelism?: number
  rate?: number
  period?: number
  retryDelayExpression?: string
  label?: string
  labels?: string[]
  lastScheduleTime?: number
  nextScheduleTime?: number
  /** The messages of the last run, by id. */
  lastScheduleStates?: Record<string, RunState>
  /** Why the last run published nothing. */
  error?: string
  jitter?: number
}

const path = (id: string) => `/v2/schedules/${encodeURIComponent(id)}`

export const listSchedules = (signal?: AbortSignal) => get<Schedule[]>('/v2/schedules', undefined, signal)
export const pauseSchedule = (id: string) => call<void>('POST', `${path(id)}/pause`)
export const resumeSchedule = (id: string) => call<void>('POST', `${path(id)}/resume`)
export const runSchedule = (id: string) => call<unknown>('POST', `${path(id)}/run`)
export const deleteSchedule = (id: string) => call<void>('DELETE', path(id))

/** Makes one, or writes over the one that Upstash-Schedule-Id names. */
export const putSchedule = (destination: string, headers: HeadersInit, body: BodyInit | null) =>
  call<{ scheduleId: string }>('POST', `/v2/schedules/${destination}`, { headers, body })

/** Changes what the edit says, and nothing else. */
export const editSchedule = (id: string, edit: Edit) => call<Schedule>('PATCH', path(id), requestOf(edit))
/** Makes another like it, but for what the edit says. */
export const copySchedule = (id: string, edit: Edit) =>
  call<{ scheduleId: string }>('POST', `${path(id)}/copy`, requestOf(edit))

const requestOf = ({ destination, headers, body }: Edit) => ({ query: { destination }, headers, body })

/** How its last messages ended or stand, oldest first. */
export async function recentOutcomes(scheduleId: string, count: number, signal?: AbortSignal): Promise<EntryState[]> {
  const { messages } = await listLoggedMessages({ scheduleId, count }, signal)
  return messages.map(({ state }) => state).reverse()
}
