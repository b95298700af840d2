import { describe, expect, it } from 'vitest'
import { csv, jsonl } from './download.ts'

describe('exports', () => {
  it('quotes what CSV needs quoted and disarms formulas', () => {
    expect(csv(['a', 'b'], [['x,"y"', '=1+1'], [-3, undefined]])).toBe('a,b\r\n"x,""y""",\'=1+1\r\n-3,\r\n')
  })

  it('writes one JSON value a line', () => {
    expect(jsonl([{ a: 1 }, { a: 'x\ny' }])).toBe('{"a":1}\n{"a":"x\\ny"}\n')
  })
})
