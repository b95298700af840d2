import type { Activity } from './api.ts'
import type { Pulse } from './live.svelte.ts'

const SECOND_MS = 1000
/** The server adds a second up about a second after it. */
const NOT_ADDED_UP_MS = 2 * SECOND_MS

/** The pulses that were told, behind those that would have been: figures of whole seconds before the first of them. */
export function remembered({ points, step, to }: Activity, told: readonly Pulse[]): Pulse[] {
  if (step !== SECOND_MS) return [...told]
  const until = Math.min(to - NOT_ADDED_UP_MS, told[0] ? told[0].time - SECOND_MS : Infinity)
  const before = points
    .map(({ time, accepted, delivered, failed, deadLettered }) => ({
      time: time + SECOND_MS,
      accepted,
      delivered,
      failed,
      deadLettered,
    }))
    .filter(({ time }) => time <= until)
  return [...before, ...told]
}
