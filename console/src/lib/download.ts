/** Rows as files. */

export type Cell = string | number | boolean | undefined | null

export const jsonl = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row) + '\n').join('')

/** RFC 4180. Cells that a spreadsheet would take for a formula get an apostrophe before them. */
export function csv(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [columns, ...rows].map((row) => row.map(csvCell).join(',') + '\r\n').join('')
}

function csvCell(value: Cell): string {
  if (value === undefined || value === null) return ''
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

export function download(name: string, type: string, content: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 1000)
}
