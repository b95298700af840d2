/**
 * The server, typed: the public API under `/v2`, and the few calls of the console's own under `/console/api`.
 *
 * Times are Unix milliseconds, durations milliseconds; a field that does not apply is left out.
 */

export type Query = Record<string, string | number | boolean | readonly string[] | undefined>

export interface Request {
  query?: Query | URLSearchParams
  headers?: HeadersInit
  body?: BodyInit | null
  /** Sent as JSON, in place of `body`. */
  json?: unknown
  signal?: AbortSignal
}

/** What the server refused, in its own words. `status` is 0 where it could not be reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code?: string,
    readonly hint?: string,
  ) {
    super(message)
    this.name = 'ApiError'
  }
}

let sessionEnded = () => {}

/** Called where the server no longer knows the session of a call. */
export function whenSessionEnds(handler: () => void): void {
  sessionEnded = handler
}

/** The answer's JSON, or undefined where there is no body. Raises ApiError; a 401 also ends the session. */
export async function call<T>(method: string, path: string, request: Request = {}): Promise<T> {
  const headers = new Headers(request.headers)
  if (method !== 'GET') headers.set('Outrider-Console', '1')
  let body = request.body
  if (request.json !== undefined) {
    headers.set('Content-Type', 'application/json')
    body = JSON.stringify(request.json)
  }
  let response: Response
  try {
    response = await fetch(path + queryString(request.query), {
      method,
      headers,
      body,
      signal: request.signal,
      credentials: 'same-origin',
    })
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiError(0, 'The server cannot be reached.')
  }
  const text = await response.text()
  if (!response.ok) {
    if (response.status === 401 && path !== SESSION) sessionEnded()
    throw refusal(response, text)
  }
  return (text ? JSON.parse(text) : undefined) as T
}

export const get = <T>(path: string, query?: Request['query'], signal?: AbortSignal) =>
  call<T>('GET', path, { query, signal })

/** `?a=1&b=2`, or nothing; a list repeats its name. */
export function queryString(query: Request['query']): string {
  if (!query) return ''
  const parameters = query instanceof URLSearchParams ? query : new URLSearchParams()
  if (!(query instanceof URLSearchParams)) {
    for (const [name, value] of Object.entries(query)) {
      if (value === undefined) continue
      for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, String(one))
    }
  }
  const text = parameters.toString()
  return text && `?${text}`
}

/** A message for people, of anything that was thrown. */
export function sentence(error: unknown): string {
  if (error instanceof ApiError) return error.hint ? `${error.message}; ${error.hint}` : error.message
  return error instanceof Error ? error.message : String(error)
}

function refusal(response: Response, text: string): ApiError {
  try {
    const said = JSON.parse(text) as { error?: string; code?: string; hint?: string }
    if (said.error) return new ApiError(response.status, said.error, said.code, said.hint)
  } catch {
    // Not JSON: something between us and the server answered.
  }
  return new ApiError(response.status, `The server answered ${response.status} ${response.statusText}`.trim())
}

const segment = encodeURIComponent

/* Session */

const SESSION = '/console/api/session'

export interface Principal {
  tenant: string
  scope: 'full' | 'read'
  token: string
  expiresAt: number
  version: string
  time: number
}

export const readSession = () => get<Principal>(SESSION)
export const signIn = (proof: { token: string } | { link: string }) =>
  call<Principal>('POST', SESSION, { json: proof })
export const signOut = () => call<void>('DELETE', SESSION)

/* Logs and messages */

export const ENTRY_STATES = [
  'CREATED',
  'ACTIVE',
  'RETRY',
  'ERROR',
  'DELIVERED',
  'FAILED',
  'CANCEL_REQUESTED',
  'CANCELED',
] as const
export type EntryState = (typeof ENTRY_STATES)[number]
export type HeaderLists = Record<string, string[]>

export interface Page {
  cursor?: string
}

/** Where a message came from and what it asked for; shared by all that shows messages. */
export interface Origin {
  topicName?: string
  endpointName?: string
  queueName?: string
  scheduleId?: string
  callback?: string
  failureCallback?: string
  label?: string
  labels?: string[]
  flowControlKey?: string
  parallelism?: number
  rate?: number
  period?: number
  callerIp?: string
  retryDelayExpression?: string
}

export interface Answered {
  responseStatus?: number
  responseHeader?: HeaderLists
  responseBody?: string
  responseBodyBase64?: string
}

/** One thing that happened to a message. `body` is base64. */
export interface LogEntry extends Origin, Answered {
  time: number
  messageId: string
  state: EntryState
  url: string
  error?: string
  nextDeliveryTime?: number
  header?: HeaderLists
  body?: string
  method?: string
  timeout?: number
  maxRetries?: number
}

/** The entries of a message, as one row. */
export interface MessageSummary extends Origin {
  messageId: string
  state: EntryState
  url: string
  method?: string
  error?: string
  entries: number
  firstTime: number
  lastTime: number
  attempts: number
  responseStatus?: number
  nextDeliveryTime?: number
}

/** A message as `GET /v2/messages/{id}` shows it; `timeout` is seconds. */
export interface Message extends Origin {
  messageId: string
  url: string
  method: string
  maxRetries: number
  notBefore: number
  createdAt: number
  state: EntryState
  header?: HeaderLists
  body?: string
  bodyBase64?: string
  timeout?: number
}

export type MessageState = 'active' | 'retrying' | 'delayed' | 'waiting'

export interface InFlight extends Origin {
  messageId: string
  state: MessageState
  url: string
  method: string
  createdAt: number
  nextDeliveryTime?: number
  attempts: number
  maxRetries: number
  urlGroup?: string
  lastError?: string
  responseStatus?: number
}

export interface Count {
  count: number
  /** There are more than were counted. */
  capped?: boolean
}

export const listLogs = (query: Query, signal?: AbortSignal) =>
  get<{ logs: LogEntry[] } & Page>('/v2/logs', query, signal)
export const listLoggedMessages = (query: Query, signal?: AbortSignal) =>
  get<{ messages: MessageSummary[] } & Page>('/v2/logs', { ...query, groupBy: 'message' }, signal)
export const listMessages = (query: Query, signal?: AbortSignal) =>
  get<{ messages: InFlight[] } & Page>('/v2/messages', query, signal)
export const countMessages = (query: Query) => get<Count>('/v2/messages/count', query)
export const getMessage = (id: string, signal?: AbortSignal) =>
  get<Message>(`/v2/messages/${segment(id)}`, undefined, signal)
export const cancelMessage = (id: string) => call<{ cancelled: number }>('DELETE', `/v2/messages/${segment(id)}`)
export const cancelMessages = (messageIds: string[]) =>
  call<{ cancelled: number }>('DELETE', '/v2/messages', { json: { messageIds } })
export const cancelMatching = (query: Query) => call<{ cancelled: number }>('DELETE', '/v2/messages', { query })
export const retryMessage = (id: string) => call<void>('POST', `/v2/messages/${segment(id)}/retry`)
/** A new message with the body and all the options of that one, those too that are shown to nobody. */
export const republishMessage = (id: string) =>
  call<{ messageId: string }>('POST', `/v2/messages/${segment(id)}/republish`)

/** The destination is part of the path as it is, slashes and all. */
export const publish = (destination: string, headers: HeadersInit, body: BodyInit | null, queue?: string) =>
  call<{ messageId: string; url?: string } | { messageId: string; url?: string }[]>(
    'POST',
    queue === undefined ? `/v2/publish/${destination}` : `/v2/enqueue/${segment(queue)}/${destination}`,
    { headers, body },
  )

/* Publishing */

/** What a publish would come to. `timeout` is seconds. */
export interface Preview extends Origin {
  destination: string
  method: string
  /** The URLs of a group's endpoints. */
  endpoints?: string[]
  notBefore: number
  /** When each attempt is made at the earliest, if all of them fail at once. */
  attempts: { number: number; earliest: number }[]
  schedule?: CronPreview
  timeout: number
  headers: HeaderLists
  body: { bytes: number }
}

/** Takes what a publish takes, and stores nothing. */
export const previewPublish = (destination: string, headers: HeadersInit, body: BodyInit | null, signal?: AbortSignal) =>
  call<Preview>('POST', `/v2/preview/${destination}`, { headers, body, signal })
/** Makes a schedule, or writes over the one that `Upstash-Schedule-Id` names. */
export const saveSchedule = (destination: string, headers: HeadersInit, body: BodyInit | null) =>
  call<{ scheduleId: string }>('POST', `/v2/schedules/${destination}`, { headers, body })
/** Whether there is a schedule of this name. */
export const hasSchedule = async (id: string) =>
  (await get<{ scheduleId: string }[]>('/v2/schedules')).some(({ scheduleId }) => scheduleId === id)
/** The names that a publish can go to. */
export const listNames = async (signal?: AbortSignal) => {
  const [groups, queues] = await Promise.all(
    ['/v2/topics', '/v2/queues'].map((path) => get<{ name: string }[]>(path, undefined, signal)),
  )
  const names = (found: { name: string }[] = []) => found.map(({ name }) => name)
  return { groups: names(groups), queues: names(queues) }
}

/* Dead letters */

export interface DeadLetter extends Message, Answered {
  dlqId: string
  error?: string
}

/** Dead letters alone have other names for the destination's host and path: QStash refuses the usual ones. */
export const ofDeadLetters = ({ host, path, ...query }: Query): Query => ({
  ...query,
  destinationHost: host,
  destinationPath: path,
})
export const listDeadLetters = (query: Query, signal?: AbortSignal) =>
  get<{ messages: DeadLetter[] } & Page>('/v2/dlq', ofDeadLetters(query), signal)
export const countDeadLetters = (query: Query) => get<Count>('/v2/dlq/count', ofDeadLetters(query))

/* Figures */

export type ErrorKind = 'status_3xx' | 'status_4xx' | 'status_5xx' | 'timeout' | 'connect' | 'dns' | 'tls' | 'blocked' | 'other'

export interface Figures {
  accepted: number
  delivered: number
  /** Attempts that failed. */
  failed: number
  deadLettered: number
  latency?: { p50: number; p95: number; p99: number }
  errors?: Partial<Record<ErrorKind, number>>
}

export interface Activity {
  from: number
  to: number
  step: number
  points: (Figures & { time: number })[]
  totals: Figures
}

export interface Status {
  version: string
  time: number
  store: { kind: 'sqlite' | 'postgresql'; sizeBytes: number }
  nodes: { id: string; seenAt: number; leaseMs?: number }[]
  inFlight: Record<MessageState, number>
  deadLetters: number
  oldestDue?: { messageId: string; dueAt: number }
  scheduleLag: number
  queues: number
  schedules: number
  capped?: boolean
}

export const getActivity = (query: { from?: number; to?: number; points?: number }, signal?: AbortSignal) =>
  get<Activity>('/v2/activity', query, signal)
export const getStatus = (signal?: AbortSignal) => get<Status>('/v2/status', undefined, signal)

/* Schedules */

export interface CronPreview {
  expression: string
  timezone: string
  next: number[]
  transitions: { time: number; offsetBefore: number; offsetAfter: number }[]
}

export const previewCron = (expression: string, timezone?: string, count = 5, signal?: AbortSignal) =>
  get<CronPreview>('/v2/cron', { expression, timezone, count }, signal)

/* Keys and tokens */

export interface Token {
  id: string
  name: string
  scope: 'full' | 'read'
  /** Its last characters, by which people who hold it tell it from others. */
  hint?: string
  createdAt: number
  lastUsedAt?: number
  current: boolean
}

export interface SigningKeys {
  current: string
  next: string
  /** When they were last rotated, by whomever. */
  rotatedAt?: number
}

export const getKeys = (signal?: AbortSignal) => get<SigningKeys>('/v2/keys', undefined, signal)
export const rotateKeys = () => call<SigningKeys>('POST', '/v2/keys/rotate')
export const listTokens = (signal?: AbortSignal) => get<{ tokens: Token[] }>('/v2/tokens', undefined, signal)
export const createToken = (name: string, scope: Token['scope']) =>
  call<Token & { token: string }>('POST', '/v2/tokens', { json: { name, scope } })
export const revokeToken = (id: string) => call<void>('DELETE', `/v2/tokens/${segment(id)}`)
