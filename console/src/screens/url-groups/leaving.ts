import { tick } from 'svelte'
import { SvelteSet } from 'svelte/reactivity'

/** Groups that are being deleted: from here on nothing is asked of them, and what was being asked is let go. */
export const leaving = new SvelteSet<string>()

/** Deletes a group; whether it is gone. Its name is taken out of the set by who sees that no list has it any more. */
export async function leave(name: string, remove: () => Promise<boolean>): Promise<boolean> {
  leaving.add(name)
  // Readers see it, and break off, before the server is told.
  await tick()
  const gone = await remove()
  if (!gone) leaving.delete(name)
  return gone
}
