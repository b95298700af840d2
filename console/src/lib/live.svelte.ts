/**
 * What changes on the server, as it changes: server-sent events, or polling where they do not come through.
 * Nothing is asked while the tab is hidden; when it is seen again, everything is read anew.
 */

import { getActivity } from './api.ts'
import { remembered } from './pulses.ts'

export type Topic =
  | 'messages'
  | 'logs'
  | 'dlq'
  | 'schedules'
  | 'queues'
  | 'urlGroups'
  | 'flowControl'
  | 'tokens'

/** Counts of the last second. */
export interface Pulse {
  time: number
  accepted: number
  delivered: number
  failed: number
  deadLettered: number
}

export type LiveState = 'connecting' | 'live' | 'polling' | 'paused'

const POLL_MS = 2000
const KEPT_PULSES = 120
/** So long is waited, after events failed, before they are tried again. */
const RETRY_MS = 15_000

interface Listener {
  topics: readonly Topic[]
  changed: () => void
}

class Live {
  state = $state<LiveState>('connecting')
  /** The last two minutes, oldest first. */
  pulses = $state.raw<readonly Pulse[]>([])

  #listeners = new Set<Listener>()
  #source: EventSource | undefined
  #poll: ReturnType<typeof setInterval> | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #wanted = false

  /** From sign-in to sign-out. */
  start(): () => void {
    this.#wanted = true
    document.addEventListener('visibilitychange', this.#visibility)
    this.#open()
    return () => {
      this.#wanted = false
      document.removeEventListener('visibilitychange', this.#visibility)
      this.#close()
    }
  }

  /** Calls `changed` after something of these kinds did. Returns how to stop, as `$effect` likes it. */
  on(topics: readonly Topic[], changed: () => void): () => void {
    const listener = { topics, changed }
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #visibility = () => {
    if (document.hidden) {
      this.#close()
      this.state = 'paused'
    } else {
      this.#open()
      this.#tell()
    }
  }

  #open(): void {
    if (!this.#wanted || document.hidden || this.#source) return
    // What is left of before is not of the last two minutes.
    this.pulses = []
    const source = new EventSource('/console/api/live')
    this.#source = source
    source.onopen = () => {
      this.#stopPolling()
      this.state = 'live'
      // What was read before may have changed since, untold.
      this.#tell()
      void this.#remember()
    }
    source.onerror = () => {
      source.close()
      if (this.#source !== source) return
      this.#source = undefined
      this.#startPolling()
      this.#retry = setTimeout(() => this.#open(), RETRY_MS)
    }
    source.addEventListener('pulse', (event) => {
      this.pulses = [...this.pulses, JSON.parse(event.data) as Pulse].slice(-KEPT_PULSES)
    })
    source.addEventListener('changed', (event) => {
      this.#tell((JSON.parse(event.data) as { topics: Topic[] }).topics)
    })
  }

  /** What happened before the first pulse: the figures have it by the second. */
  async #remember(): Promise<void> {
    try {
      this.pulses = remembered(await getActivity({ from: Date.now() - 1000 * KEPT_PULSES, points: 2 * KEPT_PULSES }), this.pulses)
        .slice(-KEPT_PULSES)
    } catch {
      // Pulses tell the same, in time.
    }
  }

  #close(): void {
    this.#source?.close()
    this.#source = undefined
    clearTimeout(this.#retry)
    this.#stopPolling()
  }

  #startPolling(): void {
    this.state = 'polling'
    this.#poll ??= setInterval(() => this.#tell(), POLL_MS)
  }

  #stopPolling(): void {
    clearInterval(this.#poll)
    this.#poll = undefined
  }

  #tell(topics?: readonly Topic[]): void {
    for (const { topics: wanted, changed } of this.#listeners) {
      if (!topics || wanted.some((topic) => topics.includes(topic))) changed()
    }
  }
}

export const live = new Live()
