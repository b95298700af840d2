/** A point of a chart that keys move, and the stretch that they draw from it. */
export interface Stretch {
  /** The index of the point. */
  at: number
  /** Where the stretch began; undefined where only a point is chosen. */
  from?: number
}

const STEPS: Record<string, number> = {
  ArrowLeft: -1,
  ArrowRight: 1,
  PageDown: -10,
  PageUp: 10,
  Home: -Infinity,
  End: Infinity,
}

/** After a key, of points 0 to `last`; Shift draws. Undefined for a key that moves nothing. */
export function moved({ at, from }: Stretch, key: string, shift: boolean, last: number): Stretch | undefined {
  const step = STEPS[key]
  if (step === undefined) return undefined
  return { at: Math.min(last, Math.max(0, at + step)), from: shift ? (from ?? at) : undefined }
}

/** Its first and last point; undefined where nothing was drawn. */
export function ends({ at, from }: Stretch): [first: number, last: number] | undefined {
  return from === undefined || from === at ? undefined : [Math.min(at, from), Math.max(at, from)]
}

/** The time that is shown, scaled about a point that stays in its place: 0.5 looks closer, 2 steps back. */
export function scaled(times: readonly number[], at: number, factor: number): [from: number, to: number] | undefined {
  const [first, last, still] = [times[0], times.at(-1), times[at]]
  if (first === undefined || last === undefined || still === undefined || first === last) return undefined
  return [Math.round(still - (still - first) * factor), Math.round(still + (last - still) * factor)]
}
