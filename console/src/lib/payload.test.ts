import { describe, expect, it } from 'vitest'
import { fromBase64, fromText, payload } from './payload.ts'

describe('bodies', () => {
  it('indents JSON', () => {
    expect(payload(fromText('{"a":[1]}'))).toEqual({
      text: '{\n  "a": [\n    1\n  ]\n}',
      kind: 'json',
      bytes: 9,
    })
  })

  it('leaves text alone, markup and broken JSON too', () => {
    for (const text of ['<script>alert(1)</script>', '{"a":', '42', '']) {
      expect(payload(fromText(text))).toEqual({ text, kind: 'text', bytes: text.length })
    }
  })

  it('dumps what is not text', () => {
    const { kind, text } = payload(fromBase64('/9j/4AAQ'))
    expect(kind).toBe('binary')
    expect(text).toContain('ff d8 ff e0 00 10')
  })
})
