/**
 * The URL is the state: what a screen shows follows from its path and query alone, so that every view is a link.
 *
 * `/console/logs/msg_1?state=FAILED` is the screen `logs` with the rest `['msg_1']` and the query `state=FAILED`.
 */
import { SvelteURLSearchParams } from 'svelte/reactivity'

const BASE = '/console'

class Router {
  #path = $state(location.pathname)
  #search = $state(location.search)

  #parts = $derived(parts(this.#path))
  /** The first word of the path; the empty word is the overview, which may be called by its name. */
  screen = $derived(!this.#parts[0] || this.#parts[0] === 'overview' ? '' : this.#parts[0])
  /** What follows it. */
  rest = $derived(this.#parts.slice(1))
  /** Read it; change it by `setQuery`. */
  query = $derived(new SvelteURLSearchParams(this.#search) as URLSearchParams)

  constructor() {
    addEventListener('popstate', () => this.#read())
    document.addEventListener('click', (event) => this.#follow(event))
  }

  go(href: string, how: { replace?: boolean } = {}): void {
    if (href === location.pathname + location.search) return
    history[how.replace ? 'replaceState' : 'pushState'](null, '', href)
    this.#read()
  }

  /** Changes some of the query; undefined and the empty word take a name away. */
  setQuery(changes: Record<string, string | undefined>, how?: { replace?: boolean }): void {
    this.go(this.#path + withChanges(this.#search, changes), how)
  }

  /** A link to a screen, by default with no query. */
  href(screen: string, rest: string[] = [], query?: Record<string, string | undefined> | URLSearchParams): string {
    const path = [BASE, screen, ...rest.map(encodeURIComponent)].join('/')
    if (!query) return path
    const search = query instanceof URLSearchParams ? query.toString() : withChanges('', query).slice(1)
    return search ? `${path}?${search}` : path
  }

  /** The query without some of its names. */
  without(names: readonly string[]): URLSearchParams {
    const query = new URLSearchParams(this.query)
    for (const name of names) query.delete(name)
    return query
  }

  #read(): void {
    this.#path = location.pathname
    this.#search = location.search
  }

  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    const link = (event.target as Element | null)?.closest?.('a')
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return
    if (link.pathname !== BASE && !link.pathname.startsWith(`${BASE}/`)) return
    if (link.hash) return
    event.preventDefault()
    this.go(link.pathname + link.search)
  }
}

function parts(path: string): string[] {
  const below = path.startsWith(BASE) ? path.slice(BASE.length) : path
  return below.split('/').filter(Boolean).map(decodeURIComponent)
}

function withChanges(search: string, changes: Record<string, string | undefined>): string {
  const query = new URLSearchParams(search)
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === '') query.delete(name)
    else query.set(name, value)
  }
  const text = query.toString()
  return text && `?${text}`
}

export const router = new Router()
