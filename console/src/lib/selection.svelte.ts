import { shortcuts } from './shortcuts.svelte.ts'

/**
 * The rows of a list that are selected, by their keys. Made while a component is set up; where `asked` says other words,
 * the list is another, and nothing in it is selected.
 */
export class Selection {
  keys = $state.raw<ReadonlySet<string>>(new Set())

  constructor(asked: () => string = () => '') {
    $effect(() => {
      asked()
      this.clear()
    })
    $effect(() => shortcuts.add([{ key: 'Escape', does: 'Select nothing', run: () => this.clear() }]))
  }

  get size(): number {
    return this.keys.size
  }

  has(key: string): boolean {
    return this.keys.has(key)
  }

  toggle(key: string): void {
    const next = new Set(this.keys)
    if (!next.delete(key)) next.add(key)
    this.keys = next
  }

  add(keys: readonly string[]): void {
    this.keys = new Set([...this.keys, ...keys])
  }

  clear(): void {
    this.keys = new Set()
  }
}
