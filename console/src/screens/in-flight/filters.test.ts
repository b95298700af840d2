import { expect, it } from 'vitest'
import { guess, queryOf, stateOf } from './filters.ts'

it('takes a state that is typed for one, and all else as elsewhere', () => {
  expect(guess('Retrying')).toEqual({ name: 'state', value: 'retrying' })
  expect(guess('example.com')).toEqual({ name: 'host', value: 'example.com' })
})

it('ignores a state that there is not', () => {
  expect(stateOf(new URLSearchParams('state=DELIVERED'))).toBeUndefined()
  expect(queryOf(new URLSearchParams('state=delayed&tab=request')).state).toBe('delayed')
})
