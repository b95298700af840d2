/** Bodies, which may be anything: shown as text, never as HTML. */

import type { Answered } from './api.ts'

export interface Payload {
  text: string
  /** `binary` is shown as hexadecimal digits. */
  kind: 'json' | 'text' | 'binary'
  bytes: number
}

/** JSON is indented; text stays as it is; what is neither becomes a dump of its first bytes. */
export function payload(content: Uint8Array): Payload {
  const bytes = content.length
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content)
  } catch {
    return { text: hexDump(content), kind: 'binary', bytes }
  }
  const pretty = indented(text)
  return pretty === undefined ? { text, kind: 'text', bytes } : { text: pretty, kind: 'json', bytes }
}

/** What the API gives as text, or as base64 where it is no text; undefined for none. */
export function payloadOf(text: string | undefined, base64: string | undefined): Payload | undefined {
  if (base64 !== undefined) return payload(fromBase64(base64))
  return text ? payload(fromText(text)) : undefined
}

/** The body of what a destination answered. */
export const answerOf = ({ responseBody, responseBodyBase64 }: Answered) => payloadOf(responseBody, responseBodyBase64)

export function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

export function fromBase64(encoded: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0))
}

export const fromText = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)

/** Objects and arrays, indented; undefined for anything else, and where numbers would not survive. */
function indented(text: string): string | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined
  let lossless = true
  try {
    const value: unknown = JSON.parse(text, function (_key, value: unknown, context?: { source?: string }) {
      if (typeof value === 'number' && context?.source !== undefined && !exact(value, context.source)) lossless = false
      return value
    } as (key: string, value: unknown) => unknown)
    return lossless ? JSON.stringify(value, null, 2) : undefined
  } catch {
    return undefined
  }
}

const exact = (value: number, source: string) => Number.isSafeInteger(value) || !/^-?\d{16,}$/.test(source)

const DUMPED_BYTES = 4096

function hexDump(content: Uint8Array): string {
  const lines: string[] = []
  for (let at = 0; at < Math.min(content.length, DUMPED_BYTES); at += 16) {
    const row = [...content.subarray(at, at + 16)]
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const chars = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('')
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(47)}  ${chars}`)
  }
  if (content.length > DUMPED_BYTES) lines.push(`… and ${content.length - DUMPED_BYTES} more bytes`)
  return lines.join('\n')
}
