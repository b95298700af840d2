import { asForwarded, headerRows, isRedacted, type HeaderRow } from '../../lib/headers.ts'
import { fromText } from '../../lib/payload.ts'
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
  /** Null keeps one that cannot be shown: it is no text, or redacted. */
  body: string | null
  retries: string
  retryDelay: string
  timeout: string
  delay: string
  jitter: string
  queue: string
  labels: string
  callback: string
  failureCallback: string
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
  failureCallback: '',
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
    body: schedule.bodyBase64 !== undefined || isRedacted(schedule.body ?? '') ? null : (schedule.body ?? ''),
    retries: String(schedule.retries),
    retryDelay: schedule.retryDelayExpression ?? '',
    timeout: seconds(schedule.timeout),
    delay: seconds(schedule.delay),
    jitter: seconds(schedule.jitter),
    queue: schedule.queueName ?? '',
    labels: schedule.labels?.join(', ') ?? '',
    callback: schedule.callback ?? '',
    failureCallback: schedule.failureCallback ?? '',
    flowControlKey: schedule.flowControlKey ?? '',
    flowControlValue: limits.filter(Boolean).join(', '),
  }
}

/** As it is sent to `POST /v2/schedules/{destination}`. */
export function requestOf(draft: Draft): { headers: Pair[]; body: Uint8Array<ArrayBuffer> | null } {
  return {
    headers: [...optionsOf(draft).filter(([, value]) => value !== ''), ...asForwarded(draft.headers)],
    body: draft.body ? fromText(draft.body) : null,
  }
}

/** As it is sent to `PATCH /v2/schedules/{id}`, and to its copy. */
export interface Edit {
  /** Undefined leaves it as it is. */
  destination?: string
  headers: Pair[]
  body: Uint8Array<ArrayBuffer> | null
}

/** What was changed in the form, and nothing else: the server keeps what the form does not know of. */
export function editOf(before: Draft, after: Draft): Edit {
  const said: Pair[] = []
  const unset: string[] = []
  const change = (name: string, value: string) => (value === '' ? unset.push(name) : said.push([name, value]))

  const was = new Map(optionsOf(before))
  const changed = optionsOf(after).filter(([name, value]) => value !== was.get(name))
  for (const [name, value] of changed) if (!name.startsWith(FLOW_CONTROL)) change(name, value)
  // The key and its limits are only said together.
  if (changed.some(([name]) => name.startsWith(FLOW_CONTROL))) {
    for (const [name, value] of optionsOf(after)) if (name.startsWith(FLOW_CONTROL)) change(name, value)
  }

  const [had, has] = [valuesByName(before.headers), valuesByName(after.headers)]
  for (const name of had.keys()) if (!has.has(name)) unset.push(`Upstash-Forward-${name}`)
  for (const [name, values] of has) {
    if (JSON.stringify(values) === JSON.stringify(had.get(name))) continue
    for (const value of values) said.push([`Upstash-Forward-${name}`, value])
  }

  const newBody = after.body !== null && after.body !== before.body
  if (newBody && after.body === '') unset.push('body')
  return {
    destination: after.destination.trim() === before.destination ? undefined : after.destination.trim(),
    headers: unset.length > 0 ? [...said, ['Outrider-Unset', unset.join(', ')]] : said,
    body: newBody && after.body ? fromText(after.body) : null,
  }
}

/** A header that would be sent with a fingerprint for its value; undefined if none would. */
export function redactedPart({ headers }: { headers: readonly Pair[] }): string | undefined {
  return headers.find(([, value]) => isRedacted(value))?.[0].replace(/^Upstash-Forward-/, '')
}

type Pair = [name: string, value: string]

const FLOW_CONTROL = 'Upstash-Flow-Control-'

/** Every option that the form has a field for; an empty text says nothing. */
const optionsOf = (draft: Draft): Pair[] =>
  [
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
    [`${FLOW_CONTROL}Key`, draft.flowControlKey],
    [`${FLOW_CONTROL}Value`, draft.flowControlValue],
  ].map(([name, value]): Pair => [name!, value!.trim()])

/** Of headers that may come more than once: the values of each, by its name in lower case. */
function valuesByName(rows: readonly HeaderRow[]): Map<string, string[]> {
  const values = new Map<string, string[]>()
  for (const row of rows) {
    const name = row.name.trim().toLowerCase()
    if (name) values.set(name, [...(values.get(name) ?? []), row.value.trim()])
  }
  return values
}
