import type { Token } from '../../lib/api.ts'

export const SCOPES: Record<Token['scope'], { label: string; means: string }> = {
  full: { label: 'Full', means: 'May see and change everything.' },
  read: { label: 'Read only', means: 'May see everything and change nothing. For dashboards and onlookers.' },
}

export const nameOf = ({ name, hint }: Token) => name || (hint ? `Unnamed …${hint}` : 'Unnamed')
