import { listLogs, type LogEntry, type Query } from '../../lib/api.ts'
import { csv, jsonl } from '../../lib/download.ts'

/** More entries than this are the business of a script. */
export const MOST_EXPORTED = 50_000

/** All entries that the query describes, latest first, up to MOST_EXPORTED. */
export async function allEntries(query: Query): Promise<LogEntry[]> {
  const entries: LogEntry[] = []
  let cursor: string | undefined
  do {
    const page = await listLogs({ ...query, count: 1000, cursor })
    entries.push(...page.logs)
    cursor = page.cursor
  } while (cursor !== undefined && entries.length < MOST_EXPORTED)
  return entries.slice(0, MOST_EXPORTED)
}

const COLUMNS = [
  'time',
  'messageId',
  'state',
  'method',
  'url',
  'responseStatus',
  'error',
  'nextDeliveryTime',
  'queueName',
  'topicName',
  'scheduleId',
  'label',
  'flowControlKey',
] as const

export const FORMATS = {
  jsonl: { label: 'JSONL', type: 'application/x-ndjson', write: (entries: LogEntry[]) => jsonl(entries) },
  csv: {
    label: 'CSV',
    type: 'text/csv',
    write: (entries: LogEntry[]) =>
      csv(
        COLUMNS,
        entries.map((entry) =>
          COLUMNS.map((name) => (name === 'time' ? new Date(entry.time).toISOString() : entry[name])),
        ),
      ),
  },
} as const

export type Format = keyof typeof FORMATS
