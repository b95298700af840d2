import { untrack } from 'svelte'
import { live, type Topic } from './live.svelte.ts'

/** Rows as a table reads them: some are there, others come when they are needed. */
export interface Rows<T> {
  readonly length: number
  /** There are more rows than `length` says. */
  readonly more: boolean
  at(index: number): T | undefined
  /** Those that are there, from the first on, at most so many. */
  loaded(most: number): readonly T[]
  /** What is seen, so that it, and what comes soon, can be read. */
  see(first: number, last: number): void
  /** The first read is still running. */
  readonly loading?: boolean
  readonly error?: unknown
  /** Something changed above what is seen: `reload` shows it. */
  readonly stale?: boolean
  /** How often the list was started again from its first row. */
  readonly reloads?: number
  reload?(): Promise<void>
}

export const rowsOf = <T>(rows: readonly T[]): Rows<T> => ({
  length: rows.length,
  more: false,
  at: (index) => rows[index],
  loaded: (most) => rows.slice(0, most),
  see: () => {},
})

interface Page<T> {
  /** What was asked to read it; undefined for the first. */
  cursor: string | undefined
  start: number
  length: number
  /** Absent while it is too far from what is seen to be kept. */
  rows: readonly T[] | undefined
}

export interface Slice<T> {
  rows: readonly T[]
  cursor?: string
}

/** Rows that are read before they are seen. */
const AHEAD = 150
/** Pages kept on either side of what is seen; those further away are read again when they are. */
const KEPT_PAGES = 20

/**
 * A list that the server gives page by page. It grows as it is scrolled and forgets what is far away, so that a
 * million rows cost no more memory than a few thousand.
 */
export class Paged<T> implements Rows<T> {
  #pages: Page<T>[] = []
  #next: string | undefined
  #started = false
  #busy = false
  #generation = 0
  #seen: [number, number] = [0, 0]
  /** The first page is being read. */
  #starting = false
  /** Something changed while it was. */
  #again = false
  #read: (cursor: string | undefined) => Promise<Slice<T>>
  #version = $state(0)

  loading = $state(true)
  error = $state.raw<unknown>(undefined)
  stale = $state(false)
  reloads = $state(0)

  constructor(read: (cursor: string | undefined) => Promise<Slice<T>>) {
    // Who reloads in an effect names what it depends on; the read itself must not add to that.
    this.#read = (cursor) => untrack(() => read(cursor))
  }

  get length(): number {
    void this.#version
    const last = this.#pages.at(-1)
    return last ? last.start + last.length : 0
  }

  get more(): boolean {
    void this.#version
    return !this.#started || this.#next !== undefined
  }

  at(index: number): T | undefined {
    void this.#version
    const page = this.#pages[this.#pageOf(index)]
    return page?.rows?.[index - page.start]
  }

  loaded(most: number): readonly T[] {
    void this.#version
    const found: T[] = []
    for (const { rows } of this.#pages) {
      if (found.length >= most) break
      if (rows) found.push(...rows)
    }
    return found.slice(0, most)
  }

  see(first: number, last: number): void {
    this.#seen = [first, last]
    void this.#fill()
  }

  /** Shows what is new: at the top at once; further down it only says so, for rows must not jump while they are read. */
  async refresh(): Promise<void> {
    if (this.#seen[0] > 0) this.stale = true
    else if (this.#starting) this.#again = true
    else await this.reload()
  }

  /** Starts again from the first page; what is there stays until the new page is. */
  async reload(): Promise<void> {
    const generation = ++this.#generation
    this.#busy = true
    this.#starting = true
    this.#again = false
    try {
      const slice = await this.#read(undefined)
      if (generation !== this.#generation) return
      this.#pages = [{ cursor: undefined, start: 0, length: slice.rows.length, rows: slice.rows }]
      this.#next = slice.cursor
      this.#started = true
      this.stale = false
      this.reloads++
      this.error = undefined
    } catch (error) {
      if (generation !== this.#generation) return
      this.error = error
    }
    // Changes that come faster than pages are read must not keep the list from ever being shown.
    this.#starting = false
    this.loading = false
    this.#busy = false
    this.#version++
    if (this.#again) await this.refresh()
    else void this.#fill()
  }

  /** Reads one page after the other until what is seen, and a bit more, is there. */
  async #fill(): Promise<void> {
    if (this.#busy || !this.#started || this.error) return
    const generation = this.#generation
    this.#busy = true
    try {
      for (let page = this.#missing(); page; page = this.#missing()) {
        const slice = await this.#read(page.cursor)
        if (generation !== this.#generation) return
        this.#put(page, slice)
      }
      this.#forget()
    } catch (error) {
      if (generation === this.#generation) this.error = error
    } finally {
      if (generation === this.#generation) this.#busy = false
    }
  }

  /** The page to be read next: one that was forgotten, or the one after the last; undefined if all is there. */
  #missing(): Page<T> | undefined {
    const [first, last] = this.#seen
    const from = this.#pageOf(Math.max(0, first - AHEAD))
    const to = this.#pageOf(last + AHEAD)
    for (let index = from; index <= Math.min(to, this.#pages.length - 1); index++) {
      if (!this.#pages[index]?.rows) return this.#pages[index]
    }
    if (last + AHEAD < this.length || this.#next === undefined) return undefined
    return { cursor: this.#next, start: this.length, length: 0, rows: undefined }
  }

  #put(page: Page<T>, slice: Slice<T>): void {
    if (page.start === this.length) {
      this.#pages.push({ ...page, length: slice.rows.length, rows: slice.rows })
      this.#next = slice.cursor
    } else {
      // Read again, it keeps its length: rows that came or went meanwhile must not move the others.
      page.rows = slice.rows.slice(0, page.length)
    }
    this.#version++
  }

  #forget(): void {
    const from = this.#pageOf(this.#seen[0]) - KEPT_PAGES
    const to = this.#pageOf(this.#seen[1]) + KEPT_PAGES
    this.#pages.forEach((page, index) => {
      if (index < from || index > to) page.rows = undefined
    })
  }

  /** The index of the page with this row, by bisection; the number of pages if none has it. */
  #pageOf(row: number): number {
    let low = 0
    let high = this.#pages.length
    while (low < high) {
      const middle = (low + high) >> 1
      const page = this.#pages[middle] as Page<T>
      if (row < page.start + page.length) high = middle
      else low = middle + 1
    }
    return low
  }
}

/**
 * A list that is started again where what is asked for changes, and that live topics keep fresh. Made while a component
 * is set up; `asked` says in words what the list is asked for: the same words are the same list.
 */
export function livePages<T>(
  asked: () => string,
  topics: readonly Topic[],
  read: (cursor: string | undefined) => Promise<Slice<T>>,
): Paged<T> {
  const rows = new Paged(read)
  $effect(() => {
    asked()
    void rows.reload()
  })
  $effect(() => live.on(topics, () => void rows.refresh()))
  return rows
}
