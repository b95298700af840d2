import { getStatus, type Status } from './api.ts'
import { live } from './live.svelte.ts'

const MOST_OFTEN_MS = 2000

/** The numbers that every screen shows: read when something changes, but not more often than every two seconds. */
class ServerStatus {
  now = $state.raw<Status | undefined>(undefined)
  #waiting: ReturnType<typeof setTimeout> | undefined
  #running = false

  start(): () => void {
    const stop = live.on(['messages', 'dlq', 'schedules', 'queues'], () => {
      this.#waiting ??= setTimeout(() => {
        this.#waiting = undefined
        void this.#read()
      }, MOST_OFTEN_MS)
    })
    void this.#read()
    return () => {
      stop()
      clearTimeout(this.#waiting)
      this.#waiting = undefined
    }
  }

  async #read(): Promise<void> {
    if (this.#running) return
    this.#running = true
    try {
      this.now = await getStatus()
    } catch {
      // The numbers stay as they were; the screen that is shown says what is wrong.
    }
    this.#running = false
  }
}

export const status = new ServerStatus()
