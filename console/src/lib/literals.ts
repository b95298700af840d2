/**
 * Values as source code: of a shell, of Python, of TypeScript. JSON is read token by token, so that what a program of
 * any language makes of it is what was typed: a number keeps its digits.
 */

export type Language = 'python' | 'typescript'

export type Json =
  | { kind: 'text'; value: string }
  | { kind: 'number'; source: string }
  | { kind: 'word'; value: 'true' | 'false' | 'null' }
  | { kind: 'list'; items: Json[] }
  | { kind: 'object'; entries: [key: string, value: Json][] }

/** One word for a POSIX shell. */
export const shellWord = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : shellQuoted(text))
export const shellQuoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

/** A string in double quotes; what JSON escapes, Python and TypeScript read alike. */
export const quoted = (text: string) => JSON.stringify(text).replaceAll('\x7f', '\\u007f')

const TOKEN = /\s*(?:([{}[\],:])|("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null))\s*/y

/** Undefined for what is not JSON, and for an object that has a key twice, which no literal can say. */
export function parseJson(text: string): Json | undefined {
  try {
    JSON.parse(text)
  } catch {
    return undefined
  }
  const tokens: RegExpExecArray[] = []
  TOKEN.lastIndex = 0
  for (let found = TOKEN.exec(text); found; found = TOKEN.exec(text)) tokens.push(found)
  let at = 0
  let twice = false

  // JSON.parse has judged the grammar, so that only its shape is followed here.
  function value(): Json {
    const [, mark, string, number, word] = tokens[at++] ?? []
    if (string !== undefined) return { kind: 'text', value: JSON.parse(string) as string }
    if (number !== undefined) return { kind: 'number', source: number }
    if (word !== undefined) return { kind: 'word', value: word as 'true' | 'false' | 'null' }
    const end = mark === '{' ? '}' : ']'
    const items: Json[] = []
    const entries: [string, Json][] = []
    while (tokens[at]?.[1] !== end) {
      if (tokens[at]?.[1] === ',') at++
      if (mark === '{') {
        const key = JSON.parse(tokens[at]?.[2] ?? '""') as string
        at += 2
        twice ||= entries.some(([known]) => known === key)
        entries.push([key, value()])
      } else items.push(value())
    }
    at++
    return mark === '{' ? { kind: 'object', entries } : { kind: 'list', items }
  }

  const json = value()
  return twice ? undefined : json
}

/** Whether JavaScript's numbers and objects hold it unchanged. */
export function fitsJavaScript(json: Json): boolean {
  if (json.kind === 'number') return sameNumber(json.source)
  if (json.kind === 'list') return json.items.every(fitsJavaScript)
  if (json.kind === 'object') return json.entries.every(([key, value]) => key !== '__proto__' && fitsJavaScript(value))
  return true
}

function sameNumber(source: string): boolean {
  const value = Number(source)
  if (/^-?\d+$/.test(source)) return String(value) === source
  return Number.isFinite(value) && source.replace(/\D/g, '').length <= 15
}

const WIDTH = 72

/** The literal, on one line where it is short, else indented. */
export function literal(json: Json, language: Language, indent = ''): string {
  const flat = onOneLine(json, language)
  if (flat.length <= WIDTH || (json.kind !== 'list' && json.kind !== 'object')) return flat
  const inner = `${indent}${language === 'python' ? '    ' : '  '}`
  const lines =
    json.kind === 'list'
      ? json.items.map((item) => literal(item, language, inner))
      : json.entries.map(([key, value]) => `${keyOf(key, language)}: ${literal(value, language, inner)}`)
  const [open, close] = json.kind === 'list' ? '[]' : '{}'
  return `${open}\n${lines.map((line) => `${inner}${line},\n`).join('')}${indent}${close}`
}

function onOneLine(json: Json, language: Language): string {
  switch (json.kind) {
    case 'text':
      return quoted(json.value)
    case 'number':
      return json.source
    case 'word':
      return language === 'python' ? { true: 'True', false: 'False', null: 'None' }[json.value] : json.value
    case 'list':
      return `[${json.items.map((item) => onOneLine(item, language)).join(', ')}]`
    case 'object': {
      const entries = json.entries.map(([key, value]) => `${keyOf(key, language)}: ${onOneLine(value, language)}`)
      if (entries.length === 0) return '{}'
      return language === 'python' ? `{${entries.join(', ')}}` : `{ ${entries.join(', ')} }`
    }
  }
}

export const keyOf = (key: string, language: Language) =>
  language === 'typescript' && /^[A-Za-z_$][\w$]*$/.test(key) ? key : quoted(key)
