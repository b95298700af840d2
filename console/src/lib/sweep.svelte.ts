import { toasts } from './toasts.svelte.ts'

/** One step of a sweep: how many it was, and where the next one begins, if there is one. */
export interface Step {
  done: number
  cursor?: string
}

/**
 * Something that is done to many, page by page, however many there are; one after the other, so that it can be
 * followed and stopped. Each page is done whole.
 */
export class Sweep {
  /** Undefined while nothing runs. */
  running = $state.raw<{ does: string; done: number } | undefined>(undefined)
  #stopped = false

  /** How many it was. Raises what a step raises; what was done before stays done. */
  async run(does: string, step: (cursor: string | undefined) => Promise<Step>): Promise<number> {
    let done = 0
    let cursor: string | undefined
    this.#stopped = false
    this.running = { does, done }
    try {
      do {
        const page = await step(cursor)
        done += page.done
        cursor = page.cursor
        this.running = { does, done }
      } while (cursor !== undefined && !this.#stopped)
    } finally {
      this.running = undefined
    }
    return done
  }

  /** Runs, and says what was done or why not. Resolves to whether it was done. */
  async told(does: string, step: (cursor: string | undefined) => Promise<Step>, said: (count: number) => string): Promise<boolean> {
    try {
      toasts.ok(said(await this.run(does, step)))
      return true
    } catch (error) {
      toasts.failed(error)
      return false
    }
  }

  stop(): void {
    this.#stopped = true
  }
}

/** The same for things that are named, so many at a time. */
export function named(ids: readonly string[], size: number, act: (some: string[]) => Promise<number>) {
  return async (cursor: string | undefined): Promise<Step> => {
    const from = Number(cursor ?? 0)
    const done = await act(ids.slice(from, from + size))
    return { done, cursor: from + size < ids.length ? String(from + size) : undefined }
  }
}
