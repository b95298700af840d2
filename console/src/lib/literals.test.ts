import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { fitsJavaScript, literal, parseJson, quoted, shellQuoted, shellWord } from './literals.ts'

const AWKWARD = [`it's`, `"$HOME" \`id\` \\ !`, 'two\nlines\t', '-d @file', '', 'ü – 😀', `'';rm -rf /;'`, '$(id)', '\u2028']

describe('a word of a shell', () => {
  it.each(AWKWARD)('is what was typed: %j', (text) => {
    for (const word of [shellQuoted(text), shellWord(text)]) {
      expect(execFileSync('sh', ['-c', `printf %s ${word}`], { encoding: 'utf8' })).toBe(text)
    }
  })
})

describe('a string of a language', () => {
  it.each(AWKWARD)('is what was typed: %j', (text) => {
    expect(new Function(`return ${quoted(text)}`)()).toBe(text)
  })
})

const python = (text: string) => literal(parseJson(text)!, 'python')
const typescript = (text: string) => literal(parseJson(text)!, 'typescript')

describe('JSON as a literal', () => {
  it('speaks the language', () => {
    const text = '{"a": [1, -2.50, true, null], "b-c": {"d": false}, "e": {}, "f": []}'
    expect(python(text)).toBe('{"a": [1, -2.50, True, None], "b-c": {"d": False}, "e": {}, "f": []}')
    expect(typescript(text)).toBe('{ a: [1, -2.50, true, null], "b-c": { d: false }, e: {}, f: [] }')
  })

  it('keeps every digit of a number', () => {
    expect(python('[12345678901234567890, 1.10, 1e2]')).toBe('[12345678901234567890, 1.10, 1e2]')
  })

  it('reads escapes as JSON does', () => {
    expect(python('"\\/\\ud83d\\ude00\\u0000\\""')).toBe('"/😀\\u0000\\""')
  })

  it('is indented where it is long', () => {
    const long = 'x'.repeat(66)
    expect(python(`{"a": ["${long}"]}`)).toBe(`{\n    "a": ["${long}"],\n}`)
    expect(typescript(`{"a": {"b": "${long}", "c": 1}}`)).toBe(`{\n  a: {\n    b: "${long}",\n    c: 1,\n  },\n}`)
  })

  it.each(['', 'hello', '{', '[1,]', '{"a": 1} x', "{'a': 1}", '{"a": 1, "a": 2}'])('is none of %j', (text) =>
    expect(parseJson(text)).toBeUndefined(),
  )
})

describe('JavaScript', () => {
  it.each(['{"a": [1, 0.5, "x"]}', '9007199254740991', '-1', '1.10'])('holds %s', (text) =>
    expect(fitsJavaScript(parseJson(text)!)).toBe(true),
  )

  it.each(['12345678901234567890', '{"a": [9007199254740993]}', '{"__proto__": 1}', '1e999', '-0', '0.12345678901234567'])(
    'changes %s',
    (text) => expect(fitsJavaScript(parseJson(text)!)).toBe(false),
  )
})
