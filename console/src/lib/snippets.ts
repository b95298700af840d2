/**
 * A draft as code that a person can paste: curl, and the calls of the official SDKs (Python `qstash`, JavaScript
 * `@upstash/qstash`). The token never stands in it: it comes from the environment, as in a program that is kept.
 */
import { cronOf, headersOf, isUrl, pathOf, type Draft } from './draft.ts'
import { fitsJavaScript, keyOf, literal, parseJson, quoted, shellQuoted, shellWord, type Json, type Language } from './literals.ts'

export const LANGUAGES = [
  { name: 'curl', label: 'curl' },
  { name: 'python', label: 'Python' },
  { name: 'typescript', label: 'TypeScript' },
] as const
export type SnippetLanguage = (typeof LANGUAGES)[number]['name']

/** `url` is the server's own, without a slash at its end. */
export function snippet(language: SnippetLanguage, draft: Draft, url: string): string {
  return { curl, python, typescript }[language](draft, url)
}

/** What an application needs to know of the server. */
export interface Environment {
  QSTASH_URL: string
  QSTASH_TOKEN: string
  QSTASH_CURRENT_SIGNING_KEY?: string
  QSTASH_NEXT_SIGNING_KEY?: string
}

/** Lines for a shell, and for most `.env` files. */
export const environmentText = (environment: Environment) =>
  Object.entries(environment)
    .map(([name, value]) => `export ${name}=${shellWord(value)}\n`)
    .join('')

/* curl */

function curl(draft: Draft, url: string): string {
  const target = url + pathOf(draft)
  const flags = [
    'curl -X POST',
    // curl would read brackets as a pattern, and walk up at dots.
    /[[\]{}]/.test(target) ? '--globoff' : '',
    /\/\.\.?([/?]|$)/.test(target) ? '--path-as-is' : '',
  ]
  const parts = [
    flags.filter(Boolean).join(' '),
    shellQuoted(target),
    '-H "Authorization: Bearer $QSTASH_TOKEN"',
    ...headersOf(draft).map(([name, value]) => `-H ${shellQuoted(value ? `${name}: ${value}` : `${name};`)}`),
  ]
  if (draft.body) {
    // Without this, curl says that the body is a form.
    if (!draft.type.trim()) parts.push("-H 'Content-Type:'")
    parts.push(`--data-raw ${shellQuoted(draft.body)}`)
  }
  return parts.join(' \\\n  ')
}

/* The SDKs */

type Argument = [name: string, value: string]

function python(draft: Draft, url: string): string {
  const body = bodyOf(draft, 'python')
  const values = valuesOf(draft, 'python')
  const client = `import os

from qstash import QStash

client = QStash(
    token=os.environ["QSTASH_TOKEN"],
    base_url=${quoted(url)},
)
`
  const content: Argument[] = body === undefined ? [] : [['body', body.source]]
  const type: Argument[] =
    draft.body && draft.type.trim() && !body?.json ? [['content_type', quoted(draft.type.trim())]] : []
  const suffix = body?.json ? '_json' : ''
  if (draft.when === 'cron') {
    const said = named([['destination', quoted(draft.to.trim())], ...content, ...type, ...values], PYTHON)
    return `${client}schedule_id = client.schedule.create${suffix}(\n${lines(said, '    ', '=')})\nprint(schedule_id)\n`
  }
  const said = named([destinationOf(draft), ...content, ...type, ...values], PYTHON)
  const queue = draft.queue.trim()
  if (!queue) return `${client}answer = client.message.publish${suffix}(\n${lines(said, '    ', '=')})\nprint(answer)\n`
  const to: Argument = ['queue', quoted(queue)]
  if (!said.some(([name]) => NOT_ENQUEUED.includes(name))) {
    return `${client}answer = client.message.enqueue${suffix}(\n${lines([to, ...said], '    ', '=')})\nprint(answer)\n`
  }
  // `enqueue` has no delay and no flow control; a batch of one has.
  const raw = rawBody(draft)
  const item = said.map(([name, value]): Argument => (name === 'body' && raw !== undefined ? [name, raw] : [name, value]))
  if (body?.json) item.push(['content_type', quoted('application/json')])
  const entries = lines(
    [to, ...item].map(([name, value]): Argument => [quoted(name), value.replaceAll('\n', '\n    ')]),
    '        ',
    ': ',
  )
  return `${client}answer = client.message.batch([\n    {\n${entries}    }\n])\nprint(answer)\n`
}

function typescript(draft: Draft, url: string): string {
  const body = bodyOf(draft, 'typescript')
  const values = valuesOf(draft, 'typescript')
  const client = `import { Client } from "@upstash/qstash";

const client = new Client({
  baseUrl: ${quoted(url)},
  token: process.env.QSTASH_TOKEN,
});
`
  const content: Argument[] = body === undefined ? [] : [['body', body.source]]
  if (draft.when === 'cron') {
    if (body?.json) content[0] = ['body', `JSON.stringify(${body.source})`]
    const said: Argument[] = [['destination', quoted(draft.to.trim())], ...content, ...values]
    return `${client}const schedule = await client.schedules.create({\n${lines(said, '  ', ': ')}});\nconsole.log(schedule.scheduleId);\n`
  }
  const suffix = body?.json ? 'JSON' : ''
  const said = lines([destinationOf(draft), ...content, ...values], '  ', ': ')
  const queue = draft.queue.trim()
  const method = queue ? `queue({ queueName: ${quoted(queue)} }).enqueue${suffix}` : `publish${suffix}`
  return `${client}const answer = await client.${method}({\n${said}});\nconsole.log(answer);\n`
}

const destinationOf = (draft: Draft): Argument => [
  isUrl(draft.to.trim()) || !draft.to.trim() ? 'url' : 'urlGroup',
  quoted(draft.to.trim()),
]

/** As a value of the language where the body is JSON, else as the text that it is. */
function bodyOf(draft: Draft, language: Language): { source: string; json: boolean } | undefined {
  if (!draft.body) return undefined
  const json = draft.type.trim().toLowerCase() === 'application/json' ? parseJson(draft.body) : undefined
  if (json && (language === 'python' || fitsJavaScript(json))) return { source: inArgument(json, language), json: true }
  return { source: quoted(draft.body), json: false }
}

const rawBody = (draft: Draft) => (draft.body ? quoted(draft.body) : undefined)

const inArgument = (json: Json, language: Language) => literal(json, language, language === 'python' ? '    ' : '  ')

/** The options, by the names of the JavaScript SDK. */
function valuesOf(draft: Draft, language: Language): Argument[] {
  const values: Argument[] = []
  const headers = new Map<string, string>()
  for (const { name, value } of draft.headers) {
    const key = name.trim()
    // Both SDKs take one value a name; a list of them says the same.
    if (key) headers.set(key, headers.has(key) ? `${headers.get(key)}, ${value.trim()}` : value.trim())
  }
  const javaScript = language === 'typescript'
  const typed = bodyOf(draft, language)
  // The calls that write JSON say its type themselves; Python has an argument for it.
  const saysType = javaScript && draft.body && draft.type.trim() && (draft.when === 'cron' || !typed?.json)

  const text = (name: string, value: string) => {
    if (value.trim()) values.push([name, quoted(value.trim())])
  }
  const whole = (name: string, value: string) => {
    if (/^\d+$/.test(value.trim())) values.push([name, String(BigInt(value.trim()))])
  }
  const span = (name: string, header: string, value: string) => {
    if (!value.trim()) return
    const said = durationOf(value.trim(), language)
    if (said === undefined) headers.set(header, value.trim())
    else values.push([name, said])
  }

  if (draft.method !== 'POST') values.push(['method', quoted(draft.method)])
  const place = values.length
  if (draft.when === 'delay') span('delay', 'Upstash-Delay', draft.delay)
  if (draft.when === 'at') whole('notBefore', draft.notBefore)
  if (draft.when === 'cron') {
    text('cron', cronOf(draft))
    text('scheduleId', draft.scheduleId)
    text(javaScript ? 'queueName' : 'queue', draft.queue)
  }
  whole('retries', draft.retries)
  text('retryDelay', draft.retryDelay)
  span('timeout', 'Upstash-Timeout', draft.timeout)
  text('callback', draft.callback)
  text('failureCallback', draft.failureCallback)
  if (draft.when !== 'cron') {
    if (draft.contentBasedDeduplication) values.push(['contentBasedDeduplication', javaScript ? 'true' : 'True'])
    else text('deduplicationId', draft.deduplicationId)
  }
  const control = flowControl(draft, language)
  if (control) values.push(['flowControl', control])
  text('label', draft.label)

  const pairs: [string, string][] = [...headers]
  if (saysType) pairs.unshift(['Content-Type', draft.type.trim()])
  if (pairs.length > 0) values.splice(place, 0, ['headers', dictionary(pairs, language)])
  return values
}

function dictionary(pairs: [string, string][], language: Language): string {
  const entries: [string, Json][] = pairs.map(([name, value]) => [name, { kind: 'text', value }])
  return inArgument({ kind: 'object', entries }, language)
}

function flowControl(draft: Draft, language: Language): string | undefined {
  const key = draft.flowControlKey.trim()
  if (!key) return undefined
  const parts: Argument[] = [['key', quoted(key)]]
  for (const name of ['rate', 'parallelism'] as const) {
    if (/^\d+$/.test(draft[name].trim())) parts.push([name, String(BigInt(draft[name].trim()))])
  }
  const period = draft.period.trim() && durationOf(draft.period.trim(), language)
  if (period) parts.push(['period', period])
  const said = parts.map(([name, value]) => `${keyOf(name, language)}: ${value}`).join(', ')
  return language === 'python' ? `{${said}}` : `{ ${said} }`
}

const SECONDS: Record<string, number> = { d: 86_400, h: 3600, m: 60, s: 1 }

/**
 * A duration as the SDK takes it. JavaScript's has one whole number and one unit, or a number of seconds; what is
 * neither is undefined there.
 */
function durationOf(text: string, language: Language): string | undefined {
  if (/^\d+$/.test(text)) return String(BigInt(text))
  if (language === 'python' || /^\d+[dhms]$/.test(text)) return quoted(text)
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)([dhms])/g)]
  const seconds = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (SECONDS[unit ?? ''] ?? 0), 0)
  return parts.length > 0 && Number.isInteger(seconds) ? String(seconds) : undefined
}

/* How the Python SDK calls things */

const PYTHON: Record<string, string> = {
  urlGroup: 'url_group',
  notBefore: 'not_before',
  scheduleId: 'schedule_id',
  retryDelay: 'retry_delay',
  failureCallback: 'failure_callback',
  deduplicationId: 'deduplication_id',
  contentBasedDeduplication: 'content_based_deduplication',
  flowControl: 'flow_control',
}

const NOT_ENQUEUED = ['delay', 'not_before', 'flow_control']

const named = (said: Argument[], names: Record<string, string>) =>
  said.map(([name, value]): Argument => [names[name] ?? name, value])

const lines = (said: Argument[], indent: string, between: string) =>
  said.map(([name, value]) => `${indent}${name}${between}${value},\n`).join('')
