/** The scales and colours are those of tokens.css, and nobody has others. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const SOURCES = new URL('../', import.meta.url)
/** Below this a length is a hairline or a nudge of the eye, not a step of the scale. */
const HAIRLINE_PX = 1

const styles = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.(svelte|css)$/.test(path) && !path.endsWith('tokens.css'))
  .map((path) => ({ path, text: styleOf(readFileSync(new URL(path, SOURCES), 'utf8'), path) }))

function styleOf(text: string, path: string): string {
  return path.endsWith('.css') ? text : (/<style>([\s\S]*)<\/style>/.exec(text)?.[1] ?? '')
}

/** Every declaration of a property whose value the rule does not allow, with where it stands. */
function offending(property: RegExp, allowed: (value: string) => boolean): string[] {
  return styles.flatMap(({ path, text }) =>
    [...text.matchAll(/^\s*([a-z-]+):\s*([^;{}]+);/gm)]
      .filter(([, name = '', value = '']) => property.test(name) && !allowed(value))
      .map(([, name, value]) => `${path}: ${name}: ${value}`),
  )
}

test('sizes of type are those of the scale', () => {
  const scaled = /^(var\(--text-[1-5]\)|inherit|100%|0\.95em)$/
  expect(offending(/^font-size$/, (value) => scaled.test(value))).toEqual([])
})

test('spaces are steps of the scale', () => {
  const pixels = (value: string) => [...value.replace(/var\([^)]*\)/g, '').matchAll(/(\d+(?:\.\d+)?)px/g)].map(([, px]) => Number(px))
  expect(offending(/^(gap|padding|margin)(-|$)/, (value) => pixels(value).every((px) => px <= HAIRLINE_PX))).toEqual([])
})

test('colours are named, and each stands once, for the light and for the dark', () => {
  expect(offending(/./, (value) => !/#[0-9a-f]{3,8}\b|rgb\(|hsl\(/i.test(value))).toEqual([])
  const tokens = readFileSync(new URL('styles/tokens.css', SOURCES), 'utf8')
  const named = [...tokens.matchAll(/^\s*(--[a-z0-9-]+):[^;]*(?:#[0-9a-f]{3,8}\b|rgb\()/gim)].map(([, name]) => name)
  expect(new Set(named).size).toBe(named.length)
})
