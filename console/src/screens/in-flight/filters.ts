import type { MessageState, Query } from '../../lib/api.ts'
import { askedOf, guessMessageFilter, MESSAGE_FILTERS } from '../../lib/filters.ts'

export const UNFINISHED = ['active', 'retrying', 'delayed', 'waiting'] as const satisfies readonly MessageState[]

export const FILTERS = MESSAGE_FILTERS

export const stateOf = (parameters: URLSearchParams): MessageState | undefined =>
  UNFINISHED.find((state) => state === parameters.get('state'))

/** As `GET /v2/messages` takes it. */
export const queryOf = (parameters: URLSearchParams): Query => ({
  ...askedOf(FILTERS, parameters),
  state: stateOf(parameters),
})

/** What somebody who types only a value means. */
export function guess(text: string): { name: string; value: string } {
  const state = UNFINISHED.find((one) => one === text.toLowerCase())
  return state ? { name: 'state', value: state } : guessMessageFilter(text)
}
