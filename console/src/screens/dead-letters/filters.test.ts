import { describe, expect, it } from 'vitest'
import { choosing, clusterQueryOf, guess, isChosen } from './filters.ts'

const CLUSTER = { responseStatus: 503, host: 'a.example:8443', count: 2, newestTime: 1 }

describe('a cluster', () => {
  it('narrows to its status and host, and keeps what else was asked for', () => {
    expect(choosing(CLUSTER, new URLSearchParams('label=shop&host=b.example')).toString()).toBe(
      'label=shop&host=a.example%3A8443&responseStatus=503',
    )
  })

  it('is let go where it is chosen already', () => {
    const chosen = choosing(CLUSTER, new URLSearchParams('label=shop'))
    expect(isChosen(CLUSTER, chosen)).toBe(true)
    expect(choosing(CLUSTER, chosen).toString()).toBe('label=shop')
  })

  it('is seen whichever is chosen', () => {
    expect(clusterQueryOf({ responseStatus: '503', host: 'a', label: 'shop' })).toEqual({ label: 'shop' })
  })
})

it('takes three digits for an answer', () => {
  expect(guess('503')).toEqual({ name: 'responseStatus', value: '503' })
  expect(guess('0')).toEqual({ name: 'responseStatus', value: '0' })
  expect(guess('shop')).toEqual({ name: 'label', value: 'shop' })
})
