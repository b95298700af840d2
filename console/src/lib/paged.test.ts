import { expect, test } from 'vitest'
import { Paged } from './paged.svelte.ts'

const PAGE = 100

/** A list of so many numbers, and how often each page of it was read. */
function numbers(rows: number) {
  const reads: number[] = []
  const list = new Paged<number>(async (cursor) => {
    const start = Number(cursor ?? 0)
    reads.push(start)
    const end = Math.min(rows, start + PAGE)
    return {
      rows: Array.from({ length: end - start }, (_, at) => start + at),
      cursor: end < rows ? String(end) : undefined,
    }
  })
  return { list, reads }
}

const settled = () => new Promise((resolve) => setTimeout(resolve))

/** Goes down row by row of pages, as a person who scrolls. */
async function walk(list: Paged<number>, from: number, to: number) {
  for (let row = from; row < to; row += PAGE) {
    list.see(row, row + 20)
    for (let turns = 0; list.at(row + 20) === undefined && turns < 10; turns++) await Promise.resolve()
  }
  await settled()
}

test('a million rows are read once each, and all but a few thousand forgotten', async () => {
  const { list, reads } = numbers(1_000_000)
  await list.reload()
  await walk(list, 0, 1_000_000)
  expect([list.length, list.more]).toEqual([1_000_000, false])
  expect(reads.length).toBe(1_000_000 / PAGE)
  expect(list.at(0)).toBeUndefined()
  expect(list.at(999_999)).toBe(999_999)
  expect(list.loaded(Infinity).length).toBeLessThanOrEqual(5000)
})

test('what was forgotten is read again where it is seen, and keeps its place', async () => {
  const { list, reads } = numbers(10_000)
  await list.reload()
  await walk(list, 0, 10_000)
  expect(list.at(5)).toBeUndefined()
  const before = reads.length
  list.see(0, 20)
  await settled()
  expect(list.at(5)).toBe(5)
  expect(reads.length - before).toBeLessThanOrEqual(2)
})

test('of what is there no more than asked is given, from the first on', async () => {
  const { list } = numbers(1000)
  await list.reload()
  list.see(0, 400)
  await settled()
  expect(list.loaded(150)).toEqual(Array.from({ length: 150 }, (_, at) => at))
})
