import { describe, expect, it } from 'vitest'
import type { DeadLetter } from '../../lib/api.ts'
import { doubt, editOf, failedAt, fault, replacement } from './letter.ts'

const LETTER: DeadLetter = {
  dlqId: '1795732617965-558525038',
  messageId: 'msg_1',
  url: 'https://example.com/orders',
  method: 'POST',
  maxRetries: 3,
  notBefore: 1,
  createdAt: 1,
  state: 'FAILED',
  header: { 'Content-Type': ['application/json'], 'X-Order': ['7'] },
  body: '{"ok":false}',
}
const REDACTED = `REDACTED:${'ab'.repeat(32)}`
const text = (body: Uint8Array | null) => body && new TextDecoder().decode(body)

it('knows when it was given up', () => {
  expect(failedAt(LETTER)).toBe(1795732617965)
})

describe('a retry', () => {
  it('replaces nothing where nothing was edited', () => {
    expect(replacement(LETTER, editOf(LETTER))).toEqual({ headers: [], body: null })
  })

  it('replaces the body alone, and says its type', () => {
    const { headers, body } = replacement(LETTER, { ...editOf(LETTER), body: '{"ok":true}' })
    expect(headers).toEqual([
      ['Outrider-Replace', 'body'],
      ['Content-Type', 'application/json'],
    ])
    expect(text(body)).toBe('{"ok":true}')
  })

  it('replaces all headers where one was edited', () => {
    const edit = editOf(LETTER)
    edit.headers[1] = { name: 'X-Order', value: '8' }
    expect(replacement(LETTER, edit)).toEqual({
      headers: [
        ['Outrider-Replace', 'headers'],
        ['Content-Type', 'application/json'],
        ['Upstash-Forward-X-Order', '8'],
      ],
      body: null,
    })
  })

  it('can empty a body', () => {
    expect(text(replacement(LETTER, { ...editOf(LETTER), body: '' }).body)).toBe('')
  })

  it('leaves a body that is not known, or no text, as it is', () => {
    expect(editOf({ ...LETTER, body: REDACTED }).body).toBeNull()
    expect(editOf({ ...LETTER, body: undefined, bodyBase64: '/w==' }).body).toBeNull()
  })
})

it('never sends a fingerprint in place of a secret', () => {
  const letter = { ...LETTER, header: { Authorization: [REDACTED], 'X-Order': ['7'] } }
  expect(fault(letter, editOf(letter))).toBeUndefined()
  const edit = editOf(letter)
  edit.headers[1] = { name: 'X-Order', value: '8' }
  expect(fault(letter, edit)).toContain('Authorization is redacted')
})

it('says where JSON is none', () => {
  expect(doubt(editOf(LETTER))).toBeUndefined()
  expect(doubt({ ...editOf(LETTER), body: '{"ok":' })).toContain('this is none')
  expect(doubt({ headers: [], body: 'plain' })).toBeUndefined()
})
