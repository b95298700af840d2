import { untrack } from 'svelte'

/** Keys. A screen says which it knows while it is shown; `?` lists them. */

export interface Shortcut {
  /** As `KeyboardEvent.key` says it. */
  key: string
  does: string
  run: (event: KeyboardEvent) => void
}

class Shortcuts {
  known = $state.raw<readonly Shortcut[]>([])

  constructor() {
    addEventListener('keydown', (event) => this.#press(event))
  }

  /** Returns how to forget them, as `$effect` likes it. Of two for one key, the younger runs. */
  add(shortcuts: readonly Shortcut[]): () => void {
    this.known = [...untrack(() => this.known), ...shortcuts]
    return () => {
      this.known = this.known.filter((one) => !shortcuts.includes(one))
    }
  }

  #press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
    if (document.querySelector('dialog[open]')) return
    const target = event.target as HTMLElement
    if (target.matches('input:not([type=checkbox]), textarea, select, [contenteditable]')) return
    if (event.key === 'Enter' && target.matches('a, button, summary')) return
    const shortcut = this.known.findLast((one) => one.key === event.key)
    if (!shortcut) return
    event.preventDefault()
    shortcut.run(event)
  }
}

export const shortcuts = new Shortcuts()
