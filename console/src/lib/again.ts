import type { LogEntry } from './api.ts'
import { asForwarded, headerRows, isRedacted } from './headers.ts'
import { fromBase64 } from './payload.ts'

export interface Publication {
  destination: string
  headers: [name: string, value: string][]
  body: Uint8Array<ArrayBuffer> | null
  queue?: string
}

/** The publish that makes the same message once more; undefined where part of it was redacted, and is not known. */
export function again(entry: LogEntry): Publication | undefined {
  const headers = headerRows(entry.header)
  const body = entry.body === undefined ? null : fromBase64(entry.body)
  if (headers.some(({ value }) => isRedacted(value))) return undefined
  if (body && isRedacted(new TextDecoder().decode(body.subarray(0, 80)))) return undefined
  return {
    destination: entry.url,
    queue: entry.queueName,
    body,
    headers: [...asForwarded(headers), ...options(entry)],
  }
}

function options(entry: LogEntry): [string, string][] {
  const control = [
    entry.parallelism === undefined ? undefined : `parallelism=${entry.parallelism}`,
    entry.rate === undefined ? undefined : `rate=${entry.rate}`,
    entry.period === undefined ? undefined : `period=${entry.period}s`,
  ]
  const said: [string, string | undefined][] = [
    ['Upstash-Method', entry.method],
    ['Upstash-Retries', entry.maxRetries?.toString()],
    ['Upstash-Retry-Delay', entry.retryDelayExpression],
    ['Upstash-Timeout', entry.timeout === undefined ? undefined : `${Math.ceil(entry.timeout / 1000)}s`],
    ['Upstash-Callback', entry.callback],
    ['Upstash-Failure-Callback', entry.failureCallback],
    ['Upstash-Label', entry.labels?.join(',')],
    ['Upstash-Flow-Control-Key', entry.flowControlKey],
    ['Upstash-Flow-Control-Value', control.filter(Boolean).join(', ') || undefined],
  ]
  return said.filter((pair): pair is [string, string] => pair[1] !== undefined)
}
