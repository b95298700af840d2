import { sentence } from './api.ts'

export interface Toast {
  id: number
  tone: 'ok' | 'failed'
  text: string
}

const SHOWN_MS = 6000

/** Short words about what was just done. Failures stay until they are closed. */
class Toasts {
  shown = $state.raw<readonly Toast[]>([])
  #last = 0

  ok(text: string): void {
    const id = this.#add('ok', text)
    setTimeout(() => this.close(id), SHOWN_MS)
  }

  failed(error: unknown): void {
    this.#add('failed', sentence(error))
  }

  /** Says `text` once the work is done, or why it failed. Resolves to whether it was done. */
  async after(work: Promise<unknown>, text: string): Promise<boolean> {
    try {
      await work
    } catch (error) {
      this.failed(error)
      return false
    }
    this.ok(text)
    return true
  }

  close(id: number): void {
    this.shown = this.shown.filter((toast) => toast.id !== id)
  }

  #add(tone: Toast['tone'], text: string): number {
    const id = ++this.#last
    this.shown = [...this.shown, { id, tone, text }].slice(-4)
    return id
  }
}

export const toasts = new Toasts()
