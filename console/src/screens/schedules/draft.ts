import { asForwarded, headerRows, isRedacted, type HeaderRow } from '../../lib/headers.ts'
import { fromBase64, fromText } from '../../lib/payload.ts'
import type { HeaderLists } from '../../lib/api.ts'
import type { Schedule } from './api.ts'
import { joinCron, splitCron } from '../../lib/cron.svelte.ts'

export const METHODS = ['POST', 'GET', 'PUT', 'PATCH', 'DELETE'] as const

/** A schedule as it is written in the form; an empty text says nothing. */
export interface Draft {
  scheduleId: string
  destination: string
  fields: string
  /** `UTC` where the expression names none. */
  zone: string
  method: string
  headers: HeaderRow[]
  /** Null keeps the bytes of one that is no text. */
  body: string | null
  bodyBase64?: string
  retries: string
  retryDelay: string
  timeout: string
  delay: string
  jitter: string
  queue: string
  labels: string
  callback: string
  callbackHeaders: HeaderLists
  failureCallback: string
  failureCallbackHeaders: HeaderLists
  flowControlKey: string
  flowControlValue: string
}

export const NEW: Draft = {
  scheduleId: '',
  destination: '',
  fields: '0 * * * *',
  zone: 'UTC',
  method: 'POST',
  headers: [{ name: 'Content-Type', value: 'application/json' }],
  body: '',
  retries: '',
  retryDelay: '',
  timeout: '',
  delay: '',
  jitter: '',
  queue: '',
  labels: '',
  callback: '',
  callbackHeaders: {},
  failureCallback: '',
  failureCallbackHeaders: {},
  flowControlKey: '',
  flowControlValue: '',
}

const seconds = (value: number | undefined) => (value ? `${value}s` : '')

/** What the API shows of a schedule, to be edited. */
export function draftOf(schedule: Schedule): Draft {
  const { fields, zone } = splitCron(schedule.cron)
  const limits = [
    schedule.parallelism === undefined ? undefined : `parallelism=${schedule.parallelism}`,
    schedule.rate === undefined ? undefined : `rate=${schedule.rate}`,
    schedule.period === undefined ? undefined : `period=${schedule.period}s`,
  ]
  return {
    scheduleId: schedule.scheduleId,
    destination: schedule.destination,
    fields,
    zone: zone || 'UTC',
    method: schedule.method,
    headers: headerRows(schedule.header),
    body: schedule.bodyBase64 === undefined ? (schedule.body ?? '') : null,
    bodyBase64: schedule.bodyBase64,
    retries: String(schedule.retries),
    retryDelay: schedule.retryDelayExpression ?? '',
    timeout: seconds(schedule.timeout),
    delay: seconds(schedule.delay),
    jitter: seconds(schedule.jitter),
    queue: schedule.queueName ?? '',
    labels: schedule.labels?.join(', ') ?? '',
    callback: schedule.callback ?? '',
    callbackHeaders: schedule.callbackHeader ?? {},
    failureCallback: schedule.failureCallback ?? '',
    failureCallbackHeaders: schedule.failureCallbackHeader ?? {},
    flowControlKey: schedule.flowControlKey ?? '',
    flowControlValue: limits.filter(Boolean).join(', '),
  }
}

/** As it is sent to `POST /v2/schedules/{destination}`. */
export function requestOf(draft: Draft): { headers: [string, string][]; body: Uint8Array<ArrayBuffer> | null } {
  const said: [string, string][] = [
    ['Upstash-Schedule-Id', draft.scheduleId],
    ['Upstash-Cron', joinCron({ fields: draft.fields, zone: draft.zone === 'UTC' ? '' : draft.zone })],
    ['Upstash-Cron-Jitter', draft.jitter],
    ['Upstash-Method', draft.method],
    ['Upstash-Retries', draft.retries],
    ['Upstash-Retry-Delay', draft.retryDelay],
    ['Upstash-Timeout', draft.timeout],
    ['Upstash-Delay', draft.delay],
    ['Upstash-Queue-Name', draft.queue],
    ['Upstash-Label', draft.labels],
    ['Upstash-Callback', draft.callback],
    ['Upstash-Failure-Callback', draft.failureCallback],
    ['Upstash-Flow-Control-Key', draft.flowControlKey],
    ['Upstash-Flow-Control-Value', draft.flowControlValue],
  ]
  const options = said
    .map(([name, value]): [string, string] => [name, value.trim()])
    .filter(([, value]) => value !== '')
  return {
    headers: [
      ...options,
      ...(draft.callback ? behind('Upstash-Callback-', draft.callbackHeaders) : []),
      ...(draft.failureCallback ? behind('Upstash-Failure-Callback-', draft.failureCallbackHeaders) : []),
      ...asForwarded(draft.headers),
    ],
    body: bodyOf(draft),
  }
}

function bodyOf({ body, bodyBase64 }: Draft): Uint8Array<ArrayBuffer> | null {
  if (body === null) return bodyBase64 === undefined ? null : fromBase64(bodyBase64)
  return body === '' ? null : fromText(body)
}

const behind = (prefix: string, headers: HeaderLists) =>
  headerRows(headers).map(({ name, value }): [string, string] => [`${prefix}Forward-${name}`, value])

/** What of a draft is only a fingerprint, and would be sent as one; undefined if nothing is. */
export function redactedPart(draft: Draft): string | undefined {
  if (draft.body !== null && isRedacted(draft.body)) return 'The body'
  const rows = [
    ...draft.headers,
    ...(draft.callback ? headerRows(draft.callbackHeaders) : []),
    ...(draft.failureCallback ? headerRows(draft.failureCallbackHeaders) : []),
  ]
  const hidden = rows.find(({ value }) => isRedacted(value))
  return hidden && `The header ${hidden.name}`
}
