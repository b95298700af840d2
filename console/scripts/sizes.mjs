/** Prints what goes over the wire, gzipped, and fails where the first load is over its budget. */
import { readFileSync, readdirSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const BUDGET = 150 * 1024
const built = new URL('../../src/outrider/console/', import.meta.url)
const size = (path) => gzipSync(readFileSync(new URL(path, built)), { level: 9 }).length
const kB = (bytes) => `${(bytes / 1024).toFixed(1).padStart(7)} kB`

const page = readFileSync(new URL('index.html', built), 'utf8')
const first = ['index.html', ...[...page.matchAll(/\/console\/(assets\/[^"]+)/g)].map((found) => found[1])]
const rest = readdirSync(new URL('assets/', built))
  .filter((name) => !name.endsWith('.gz'))
  .map((name) => `assets/${name}`)
  .filter((path) => !first.includes(path))

let shell = 0
for (const path of first) {
  shell += size(path)
  console.log(kB(size(path)), path)
}
console.log(kB(shell), 'the shell, which every first load takes')
let screens = 0
for (const path of rest) {
  screens += size(path)
  console.log(kB(size(path)), path)
}
console.log(kB(shell + screens), 'everything, over the wire')
if (shell + screens > BUDGET) {
  const over = rest.reduce((most, path) => Math.max(most, size(path)), 0)
  if (shell + over > BUDGET) {
    console.error(`The first load is over its budget of ${BUDGET / 1024} kB.`)
    process.exit(1)
  }
}
