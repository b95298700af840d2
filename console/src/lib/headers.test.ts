import { expect, it } from 'vitest'
import { asForwarded, contentType, headerRows, isRedacted } from './headers.ts'

it('lists each value of a header', () => {
  expect(headerRows({ Accept: ['a', 'b'], 'X-Id': ['1'] })).toEqual([
    { name: 'Accept', value: 'a' },
    { name: 'Accept', value: 'b' },
    { name: 'X-Id', value: '1' },
  ])
})

it('forwards all but the type of the body, and leaves out rows without a name', () => {
  const rows = [
    { name: 'content-type', value: 'application/json' },
    { name: ' X-Id ', value: '1' },
    { name: '', value: 'nobody' },
  ]
  expect(asForwarded(rows)).toEqual([
    ['content-type', 'application/json'],
    ['Upstash-Forward-X-Id', '1'],
  ])
  expect(contentType(rows)).toBe('application/json')
})

it('knows a fingerprint from a value', () => {
  expect(isRedacted(`REDACTED:${'0a'.repeat(32)}`)).toBe(true)
  expect(isRedacted('REDACTED')).toBe(false)
})
