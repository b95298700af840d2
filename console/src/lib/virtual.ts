/**
 * Which rows of a long list are seen. Browsers end an element at about 17 million pixels, so a longer list is scrolled
 * at a scale: the scrollbar covers all of it, and rows keep their height.
 */
export const MOST_PIXELS = 15_000_000

/** Rows above and below what is seen, so that a quick scroll shows no gaps. */
const MARGIN = 8

export interface Viewport {
  rows: number
  rowHeight: number
  height: number
  scrollTop: number
}

export interface Seen {
  first: number
  /** The row after the last. */
  end: number
  /** Where the first row stands, in pixels from the top of what is scrolled. */
  offset: number
}

/** The height of what is scrolled, in pixels. */
export const scrolledHeight = (rows: number, rowHeight: number) => Math.min(rows * rowHeight, MOST_PIXELS)

export function seenRows(view: Viewport): Seen {
  const top = virtualTop(view)
  const first = Math.max(0, Math.floor(top / view.rowHeight) - MARGIN)
  const end = Math.min(view.rows, Math.ceil((top + view.height) / view.rowHeight) + MARGIN)
  return { first, end: Math.max(first, end), offset: view.scrollTop + first * view.rowHeight - top }
}

/** Where to scroll so that the row is seen, moving as little as possible. */
export function scrollTopFor(row: number, view: Viewport): number {
  const top = virtualTop(view)
  const rowTop = row * view.rowHeight
  if (rowTop < top) return realTop(rowTop, view)
  if (rowTop + view.rowHeight > top + view.height) return realTop(rowTop + view.rowHeight - view.height, view)
  return view.scrollTop
}

function virtualTop(view: Viewport): number {
  return view.scrollTop * scale(view)
}

function realTop(top: number, view: Viewport): number {
  return top / scale(view)
}

/** How far the list moves for each pixel that is scrolled. */
function scale({ rows, rowHeight, height }: Viewport): number {
  const virtual = rows * rowHeight - height
  const real = scrolledHeight(rows, rowHeight) - height
  return real > 0 && virtual > real ? virtual / real : 1
}
