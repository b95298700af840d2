// Runs before the first paint; `lib/preferences.svelte.ts` writes what is read here.
{
  let theme = null
  try {
    theme = localStorage.getItem('outrider.theme')
  } catch {
    // Storage may be forbidden; the system's theme will do.
  }
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
}
