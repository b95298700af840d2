import type { DeadLetter } from '../../lib/api.ts'
import { asForwarded, contentType, headerRows, isRedacted, type HeaderRow } from '../../lib/headers.ts'
import { fromBase64, fromText } from '../../lib/payload.ts'

/** Unix milliseconds: the id of a dead letter is `<when it was given up>-<number>`. */
export const failedAt = (letter: DeadLetter) => Number(letter.dlqId.split('-')[0])

/** The body as it was published; undefined for none, and for one of which only a fingerprint is known. */
export function bodyOf({ body, bodyBase64 }: DeadLetter): Uint8Array<ArrayBuffer> | undefined {
  if (bodyBase64 !== undefined) return fromBase64(bodyBase64)
  return body === undefined || isRedacted(body) ? undefined : fromText(body)
}

/** What is edited before a dead letter is retried. */
export interface Edit {
  headers: HeaderRow[]
  /** Null leaves the body as it is. */
  body: string | null
}

/** A body that is no text, or of which only a fingerprint is known, stays as it is until somebody says otherwise. */
export const editOf = (letter: DeadLetter): Edit => ({
  headers: headerRows(letter.header),
  body: isText(letter) ? (letter.body ?? '') : null,
})

export const isText = ({ body, bodyBase64 }: DeadLetter) =>
  bodyBase64 === undefined && !(body !== undefined && isRedacted(body))

/** What goes with the request to retry. Only what was changed is replaced, so that what is redacted stays whole. */
export interface Replacement {
  headers: [name: string, value: string][]
  body: Uint8Array<ArrayBuffer> | null
}

export function replacement(letter: DeadLetter, edit: Edit): Replacement {
  const forwarded = asForwarded(edit.headers)
  const newHeaders = JSON.stringify(forwarded) !== JSON.stringify(asForwarded(headerRows(letter.header)))
  const newBody = edit.body !== null && !(isText(letter) && edit.body === (letter.body ?? ''))
  const replaced = [newBody && 'body', newHeaders && 'headers'].filter((part) => part !== false)
  if (replaced.length === 0) return { headers: [], body: null }
  const type = contentType(edit.headers)
  const said = newHeaders ? forwarded : type === undefined || isRedacted(type) ? [] : asType(type)
  return {
    headers: [['Outrider-Replace', replaced.join(',')], ...said],
    body: newBody ? fromText(edit.body ?? '') : null,
  }
}

const asType = (type: string): [string, string][] => [['Content-Type', type]]

/** Why it cannot be sent like this; undefined if it can. */
export function fault(letter: DeadLetter, edit: Edit): string | undefined {
  const { headers } = replacement(letter, edit)
  const hidden = headers.find(([, value]) => isRedacted(value))
  if (!hidden) return undefined
  const name = hidden[0].replace('Upstash-Forward-', '')
  return `${name} is redacted: only a fingerprint of it is known here. Write its value anew, or leave all headers as they were.`
}

/** Something to look at before it is sent: JSON by its type that is none. */
export function doubt(edit: Edit): string | undefined {
  const type = contentType(edit.headers) ?? ''
  if (edit.body === null || edit.body === '' || !/\bjson\b/i.test(type)) return undefined
  try {
    JSON.parse(edit.body)
    return undefined
  } catch (error) {
    return `The type says JSON, and this is none: ${(error as Error).message}`
  }
}
