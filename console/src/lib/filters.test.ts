import { expect, it } from 'vitest'
import { upTo } from './filters.ts'

it('means nothing that comes after the question, and no more than was asked for', () => {
  expect(upTo({ host: 'a' }, 1000)).toEqual({ host: 'a', toDate: 1000 })
  expect(upTo({ toDate: '900' }, 1000)).toEqual({ toDate: 900 })
})
