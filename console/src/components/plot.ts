/** How uPlot draws a `Chart`. */
import uPlot from 'uplot'
import { moment } from '../lib/format.ts'
import type { Tone } from '../lib/states.ts'

export interface Series {
  label: string
  /** One for each time; null leaves a gap. */
  values: readonly (number | null)[]
  tone: Tone
  /** Drawn with a dashed line, to tell series apart without colour. */
  dashed?: boolean
}

export interface Look {
  series: readonly Series[]
  format: (value: number) => string
  zone: 'utc' | 'local'
  height: number
  /** The scale reaches at least to here. */
  least: number
  onhover: (index: number | null) => void
  /** A stretch was drawn with the pointer, Unix milliseconds; undefined where none can be. */
  ondrawn?: (from: number, to: number) => void
}

/** A stretch of fewer pixels is a press. */
const LEAST_DRAWN_PX = 6

export function plotOptions(host: HTMLElement, look: Look): uPlot.Options {
  const { series, format, zone, height, least, onhover, ondrawn } = look
  const axis = {
    stroke: colourOf(host, 'muted'),
    font: `12px ${getComputedStyle(host).fontFamily}`,
    grid: { stroke: colourOf(host, 'line'), width: 1 },
    ticks: { show: false },
  }
  return {
    width: host.clientWidth || 300,
    height,
    legend: { show: false },
    padding: [8, 18, 0, 0],
    tzDate: (seconds) => (zone === 'utc' ? uPlot.tzDate(new Date(seconds * 1000), 'UTC') : new Date(seconds * 1000)),
    cursor: {
      y: false,
      points: { size: 7 },
      drag: { x: ondrawn !== undefined, y: false, setScale: false },
      bind: { dblclick: () => null },
    },
    select: { show: true, left: 0, top: 0, width: 0, height: 0 },
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(least, (high ?? 0) * 1.1)] } },
    axes: [
      { ...axis, grid: { show: false }, space: 80, size: 36, values: (_plot, seconds) => timeLabels(seconds, zone) },
      { ...axis, size: 56, space: 32, values: (_plot, values) => valueLabels(values, format) },
    ],
    series: [
      {},
      ...series.map(({ label, tone, dashed }) => ({
        label,
        stroke: colourOf(host, tone === 'accent' ? 'accent' : `${tone}-mark`),
        width: 1.5,
        dash: dashed ? [5, 4] : undefined,
        points: { show: false },
      })),
    ],
    hooks: {
      setCursor: [(plot) => onhover(plot.cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select
          if (width < LEAST_DRAWN_PX) return
          ondrawn?.(timeAt(plot, left), timeAt(plot, left + width))
          plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false)
        },
      ],
    },
  }
}

const timeAt = (plot: uPlot, left: number) => Math.round(plot.posToVal(left, 'x') * 1000)

/** As a canvas takes it, which knows neither variables nor themes. */
function colourOf(element: HTMLElement, name: string): string {
  element.style.color = `var(--${name})`
  const colour = getComputedStyle(element).color
  element.style.color = ''
  return colour
}

/** The clock, and the day where it begins to be another. */
function timeLabels(seconds: readonly number[], zone: 'utc' | 'local'): string[] {
  const apart = (seconds[1] ?? 0) - (seconds[0] ?? 0)
  let day = ''
  return seconds.map((second) => {
    const [date = '', clock = ''] = moment(second * 1000, zone).split(' ')
    const changed = date !== day
    day = date
    if (apart >= 86_400) return date.slice(5)
    const short = clock.slice(0, apart < 60 ? 8 : 5)
    return changed ? `${short}\n${date.slice(5)}` : short
  })
}

/** Whole numbers without a digit after the point, where all of them are. */
function valueLabels(values: readonly number[], format: (value: number) => string): string[] {
  const labels = values.map(format)
  return values.every(Number.isInteger) ? labels.map((label) => label.replace(/\.0$/, '')) : labels
}

/** The series whose value at a point is closest to the pointer. */
export function nearest(plot: uPlot, series: readonly Series[], index: number): Series | undefined {
  const pointer = plot.cursor.top ?? 0
  const distance = (one: Series) => {
    const value = one.values[index]
    return typeof value === 'number' ? Math.abs(plot.valToPos(value, 'y') - pointer) : Infinity
  }
  return series.toSorted((one, other) => distance(one) - distance(other))[0]
}
