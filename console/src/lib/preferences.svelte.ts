/** How this reader likes things; kept in the browser alone. */

export type Theme = 'system' | 'light' | 'dark'
export type TimeDisplay = 'relative' | 'local' | 'utc'

class Preferences {
  #theme = $state<Theme>(read('theme', ['system', 'light', 'dark']))
  #time = $state<TimeDisplay>(read('time', ['relative', 'local', 'utc']))
  #systemDark = $state(false)

  constructor() {
    const system = matchMedia('(prefers-color-scheme: dark)')
    this.#systemDark = system.matches
    system.addEventListener('change', () => (this.#systemDark = system.matches))
  }

  get theme(): Theme {
    return this.#theme
  }

  set theme(theme: Theme) {
    this.#theme = theme
    write('theme', theme)
    if (theme === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = theme
  }

  /** What is seen; canvases, which know no style sheet, draw anew when it changes. */
  get dark(): boolean {
    return this.#theme === 'system' ? this.#systemDark : this.#theme === 'dark'
  }

  get time(): TimeDisplay {
    return this.#time
  }

  /** Whose clock moments are written by, where they are written out. */
  get zone(): 'utc' | 'local' {
    return this.#time === 'utc' ? 'utc' : 'local'
  }

  set time(time: TimeDisplay) {
    this.#time = time
    write('time', time)
  }
}

function read<T extends string>(name: string, [usual, ...others]: [T, ...T[]]): T {
  try {
    return others.find((one) => one === localStorage.getItem(`outrider.${name}`)) ?? usual
  } catch {
    return usual
  }
}

function write(name: string, value: string): void {
  try {
    localStorage.setItem(`outrider.${name}`, value)
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
}

export const preferences = new Preferences()
