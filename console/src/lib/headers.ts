import type { HeaderLists } from './api.ts'

/** A header as people edit it. */
export interface HeaderRow {
  name: string
  value: string
}

export const headerRows = (headers: HeaderLists = {}): HeaderRow[] =>
  Object.entries(headers).flatMap(([name, values]) => values.map((value) => ({ name, value })))

/** How a publish says that the message is to carry them; rows without a name say nothing. */
export const asForwarded = (rows: readonly HeaderRow[]): [name: string, value: string][] =>
  rows
    .map(({ name, value }) => ({ name: name.trim(), value: value.trim() }))
    .filter(({ name }) => name)
    .map(({ name, value }) => [isContentType(name) ? name : `Upstash-Forward-${name}`, value])

export const contentType = (rows: readonly HeaderRow[]): string | undefined =>
  rows.find(({ name }) => isContentType(name.trim()))?.value

const isContentType = (name: string) => name.toLowerCase() === 'content-type'

/** The API shows a fingerprint in place of what was published to be redacted. */
export const isRedacted = (value: string) => /^REDACTED:[0-9a-f]{64}$/.test(value)
