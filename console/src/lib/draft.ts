/**
 * A message that is being written: what the form of Publish holds, what its link says, and what is sent.
 *
 * Everything is the text that was typed; the server judges it. A screen that wants a message published again, or saved
 * as a schedule, links to `router.href('publish', [], draftQuery({ to: … }))`.
 */
import type { LogEntry } from './api.ts'
import { fromBase64 } from './payload.ts'

export const METHODS = ['POST', 'GET', 'PUT', 'PATCH', 'DELETE'] as const
export type Method = (typeof METHODS)[number]

/** When it is delivered: at once, some time from now, at a moment, or again and again. */
export const WHENS = ['now', 'delay', 'at', 'cron'] as const
export type When = (typeof WHENS)[number]

export interface Pair {
  name: string
  value: string
}

export interface Draft {
  /** A URL, or the name of a URL group. */
  to: string
  queue: string
  method: Method
  /** The type of the body. */
  type: string
  body: string
  headers: Pair[]
  when: When
  delay: string
  /** Unix seconds. */
  notBefore: string
  cron: string
  /** The zone of `cron`; empty is UTC. */
  timezone: string
  scheduleId: string
  retries: string
  /** An expression in milliseconds over `retried`. */
  retryDelay: string
  timeout: string
  callback: string
  failureCallback: string
  deduplicationId: string
  contentBasedDeduplication: boolean
  flowControlKey: string
  rate: string
  period: string
  parallelism: string
  label: string
}

export const EMPTY: Draft = {
  to: '',
  queue: '',
  method: 'POST',
  type: 'application/json',
  body: '',
  headers: [],
  when: 'now',
  delay: '',
  notBefore: '',
  cron: '',
  timezone: '',
  scheduleId: '',
  retries: '',
  retryDelay: '',
  timeout: '',
  callback: '',
  failureCallback: '',
  deduplicationId: '',
  contentBasedDeduplication: false,
  flowControlKey: '',
  rate: '',
  period: '',
  parallelism: '',
  label: '',
}

const TEXTS = [
  'to',
  'queue',
  'type',
  'body',
  'delay',
  'notBefore',
  'cron',
  'timezone',
  'scheduleId',
  'retries',
  'retryDelay',
  'timeout',
  'callback',
  'failureCallback',
  'deduplicationId',
  'flowControlKey',
  'rate',
  'period',
  'parallelism',
  'label',
] as const

/** A longer body stays out of the link: a server takes only so much of an address. */
const LONGEST_LINKED = 12_000

export const isUrl = (destination: string) => /^https?:/i.test(destination)

/** Headers that carry secrets: their values stay out of links, histories and server logs. */
export const isSecret = (name: string) => /^(proxy-)?authorization$|cookie|token|secret|password|api-?key/i.test(name.trim())

/** What its link leaves out, in words; undefined where the link says everything. */
export function unlinked(draft: Draft): string | undefined {
  const hidden = draft.headers.filter(({ name, value }) => value && isSecret(name)).map(({ name }) => name.trim())
  if (draft.body.length > LONGEST_LINKED) hidden.push('the body, which is too long for it')
  return hidden.length > 0 ? hidden.join(', ') : undefined
}

/** The query of the link to a draft; what is as usual is left out. */
export function draftQuery(draft: Partial<Draft>): URLSearchParams {
  const query = new URLSearchParams()
  for (const name of TEXTS) {
    const value = draft[name]
    if (value === undefined || value === EMPTY[name]) continue
    if (name === 'body' && value.length > LONGEST_LINKED) continue
    query.set(name, value)
  }
  if (draft.method && draft.method !== EMPTY.method) query.set('method', draft.method)
  if (draft.contentBasedDeduplication) query.set('contentBasedDeduplication', 'true')
  for (const { name, value } of draft.headers ?? []) {
    if (name || value) query.append('header', `${name}: ${isSecret(name) ? '' : value}`)
  }
  if (draft.when && draft.when !== inferred(query)) query.set('when', draft.when)
  return query
}

/** The draft that a link describes. */
export function readDraft(query: URLSearchParams): Draft {
  const draft: Draft = { ...EMPTY, headers: [] }
  for (const name of TEXTS) draft[name] = query.get(name) ?? EMPTY[name]
  draft.method = METHODS.find((method) => method === query.get('method')?.toUpperCase()) ?? EMPTY.method
  draft.contentBasedDeduplication = query.get('contentBasedDeduplication') === 'true'
  draft.headers = query.getAll('header').map((line) => {
    const colon = line.indexOf(':')
    return colon < 0 ? { name: line, value: '' } : { name: line.slice(0, colon), value: line.slice(colon + 1).trim() }
  })
  draft.when = WHENS.find((when) => when === query.get('when')) ?? inferred(query)
  return draft
}

function inferred(query: URLSearchParams): When {
  if (query.has('cron')) return 'cron'
  if (query.has('notBefore')) return 'at'
  return query.has('delay') ? 'delay' : 'now'
}

/** The headers of the publish, or of the schedule, that the draft is. */
export function headersOf(draft: Draft): [name: string, value: string][] {
  const said: [string, string][] = []
  const say = (name: string, value: string) => {
    if (value.trim()) said.push([name, value.trim()])
  }
  if (draft.body) say('Content-Type', draft.type)
  if (draft.method !== 'POST') say('Upstash-Method', draft.method)
  for (const { name, value } of draft.headers) {
    if (name.trim()) said.push([`Upstash-Forward-${name.trim()}`, value.trim()])
  }
  if (draft.when === 'delay') say('Upstash-Delay', draft.delay)
  if (draft.when === 'at') say('Upstash-Not-Before', draft.notBefore)
  if (draft.when === 'cron') {
    say('Upstash-Cron', cronOf(draft))
    say('Upstash-Schedule-Id', draft.scheduleId)
    say('Upstash-Queue-Name', draft.queue)
  }
  say('Upstash-Retries', draft.retries)
  say('Upstash-Retry-Delay', draft.retryDelay)
  say('Upstash-Timeout', draft.timeout)
  say('Upstash-Callback', draft.callback)
  say('Upstash-Failure-Callback', draft.failureCallback)
  if (draft.when !== 'cron') {
    if (draft.contentBasedDeduplication) say('Upstash-Content-Based-Deduplication', 'true')
    else say('Upstash-Deduplication-Id', draft.deduplicationId)
  }
  say('Upstash-Flow-Control-Key', draft.flowControlKey)
  if (draft.flowControlKey.trim()) say('Upstash-Flow-Control-Value', flowControlOf(draft))
  say('Upstash-Label', draft.label)
  return said
}

/** `CRON_TZ=Europe/Berlin 0 9 * * *`; empty where there is no expression. */
export function cronOf({ cron, timezone }: Pick<Draft, 'cron' | 'timezone'>): string {
  const expression = cron.trim()
  const zone = timezone.trim()
  return expression && zone && zone !== 'UTC' ? `CRON_TZ=${zone} ${expression}` : expression
}

function flowControlOf({ rate, period, parallelism }: Draft): string {
  const values = { rate: rate.trim(), period: period.trim(), parallelism: parallelism.trim() }
  return Object.entries(values)
    .filter(([, value]) => value)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')
}

/** The path to which it is sent, and at which curl sends it. */
export function pathOf(draft: Draft): string {
  const destination = draft.to.trim()
  if (draft.when === 'cron') return `/v2/schedules/${destination}`
  const queue = draft.queue.trim()
  return queue ? `/v2/enqueue/${encodeURIComponent(queue)}/${destination}` : `/v2/publish/${destination}`
}

/** The draft of the same message once more; undefined where part of it was redacted, or its body is no text. */
export function draftOf(entry: LogEntry): Partial<Draft> | undefined {
  const headers = Object.entries(entry.header ?? {}).flatMap(([name, values]) => values.map((value) => ({ name, value })))
  let body = ''
  try {
    if (entry.body) body = new TextDecoder('utf-8', { fatal: true }).decode(fromBase64(entry.body))
  } catch {
    return undefined
  }
  if ([body, ...headers.map(({ value }) => value)].some((text) => /^REDACTED:[0-9a-f]{64}$/.test(text))) return undefined
  const isType = ({ name }: Pair) => name.toLowerCase() === 'content-type'
  const timeout = entry.timeout === undefined ? '' : `${entry.timeout / 1000}s`
  return {
    to: entry.url,
    queue: entry.queueName,
    method: METHODS.find((method) => method === entry.method),
    type: headers.find(isType)?.value ?? '',
    body,
    headers: headers.filter((header) => !isType(header)),
    retries: entry.maxRetries?.toString(),
    retryDelay: entry.retryDelayExpression,
    timeout,
    callback: entry.callback,
    failureCallback: entry.failureCallback,
    flowControlKey: entry.flowControlKey,
    rate: entry.rate?.toString(),
    period: entry.period === undefined ? undefined : `${entry.period}s`,
    parallelism: entry.parallelism?.toString(),
    label: entry.labels?.join(', ') ?? entry.label,
  }
}
