import type { Filter } from '../../components/Filters.svelte'
import { ENTRY_STATES, type Query } from '../../lib/api.ts'
import { askedOf, guessMessageFilter, MESSAGE_FILTERS } from '../../lib/filters.ts'
import { STATES } from '../../lib/states.ts'

/** What logs can be narrowed by; the names are the parameters of `GET /v2/logs`. */
export const FILTERS: readonly Filter[] = [
  {
    name: 'state',
    // Of a message's entries, not of the message: one that was retried and has arrived is among the retrying ones.
    label: 'Has entry',
    options: [
      ...ENTRY_STATES.map((state) => ({ value: state as string, label: STATES[state].label })),
      { value: 'IN_PROGRESS', label: 'In progress' },
    ],
  },
  ...MESSAGE_FILTERS,
]

export const queryOf = (parameters: URLSearchParams): Query => askedOf(FILTERS, parameters)

/** What somebody who types only a value means. */
export function guess(text: string): { name: string; value: string } {
  const state = text.toUpperCase().replaceAll(' ', '_')
  if ((ENTRY_STATES as readonly string[]).includes(state)) return { name: 'state', value: state }
  return guessMessageFilter(text)
}
