/** The time for what counts seconds on screen; it stands still while the tab is hidden. */
class Clock {
  now = $state(Date.now())

  constructor() {
    const tick = () => {
      if (!document.hidden) this.now = Date.now()
    }
    setInterval(tick, 1000)
    document.addEventListener('visibilitychange', tick)
  }
}

export const clock = new Clock()
