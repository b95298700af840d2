import { sentence } from './api.ts'
import { live, type Topic } from './live.svelte.ts'

/**
 * Something read from the server that follows what it depends on: whatever reactive state `read` touches, and the
 * live topics. What was read stays on screen while it is read anew. Made while a component is set up.
 *
 *     const keys = resource((signal) => getKeys(signal), ['tokens'])
 *
 * What changes all the time and costs something to read names the milliseconds that pass at least between two reads.
 */
export class Resource<T> {
  data = $state.raw<T | undefined>(undefined)
  /** Why the last read failed, as a sentence; `data` is then the last that was read. */
  error = $state<string | undefined>(undefined)
  loading = $state(true)

  #read: (signal: AbortSignal) => Promise<T>
  #running: AbortController | undefined
  /** Something changed during a read: read once more. */
  #again = false
  #waiting: ReturnType<typeof setTimeout> | undefined
  #startedAt = 0

  constructor(read: (signal: AbortSignal) => Promise<T>, topics: readonly Topic[], everyMs: number) {
    this.#read = read
    $effect(() => {
      this.#start()
      return () => {
        this.#running?.abort()
        clearTimeout(this.#waiting)
        this.#waiting = undefined
      }
    })
    $effect(() =>
      live.on(topics, () => {
        const early = this.#startedAt + everyMs - Date.now()
        if (early <= 0) return this.reload()
        this.#waiting ??= setTimeout(() => {
          this.#waiting = undefined
          this.reload()
        }, early)
      }),
    )
  }

  /** Reads anew; while a read is running, once more after it. */
  reload(): void {
    if (this.#running) this.#again = true
    else this.#start()
  }

  #start(): void {
    this.#running?.abort()
    const running = new AbortController()
    this.#running = running
    this.#startedAt = Date.now()
    this.#again = false
    void this.#settle(this.#read(running.signal), running)
  }

  async #settle(reading: Promise<T>, running: AbortController): Promise<void> {
    try {
      const data = await reading
      if (running.signal.aborted) return
      this.data = data
      this.error = undefined
    } catch (error) {
      if (running.signal.aborted) return
      this.error = sentence(error)
    }
    this.loading = false
    this.#running = undefined
    if (this.#again) this.#start()
  }
}

export const resource = <T>(
  read: (signal: AbortSignal) => Promise<T>,
  topics: readonly Topic[] = [],
  { everyMs = 0 } = {},
) => new Resource(read, topics, everyMs)

const IN_SIGHT_MS = 150

/** Reads what a row needs once it has been there for a moment: rows that are scrolled past ask nothing. */
export async function inSight<T>(signal: AbortSignal, read: () => Promise<T>): Promise<T> {
  await new Promise((resolve) => setTimeout(resolve, IN_SIGHT_MS))
  signal.throwIfAborted()
  return read()
}
