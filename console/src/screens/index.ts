/**
 * The screens, in the order of the sidebar. A screen is `screens/<folder>/Screen.svelte`; it is loaded when it is
 * first shown, and finds its place here by the name of its folder.
 */
import type { Component } from 'svelte'
import type { IconName } from '../components/icons.ts'
import type { Status } from '../lib/api.ts'

export interface ScreenEntry {
  /** The first word of the path below `/console/`; empty for the first screen. */
  path: string
  folder: string
  label: string
  icon: IconName
  group: 'Messages' | 'Routing' | 'Server'
  /** The live number beside its name; undefined shows none. */
  number?: (status: Status) => number | undefined
  /** The number is of something that wants attention. */
  urgent?: boolean
}

export const SCREENS: readonly ScreenEntry[] = [
  { path: '', folder: 'overview', label: 'Overview', icon: 'overview', group: 'Messages' },
  { path: 'publish', folder: 'publish', label: 'Publish', icon: 'publish', group: 'Messages' },
  { path: 'logs', folder: 'logs', label: 'Logs', icon: 'logs', group: 'Messages' },
  {
    path: 'in-flight',
    folder: 'in-flight',
    label: 'In flight',
    icon: 'flight',
    group: 'Messages',
    number: ({ inFlight }) => inFlight.active + inFlight.retrying + inFlight.delayed + inFlight.waiting,
  },
  {
    path: 'dead-letters',
    folder: 'dead-letters',
    label: 'Dead letters',
    icon: 'dead',
    group: 'Messages',
    number: ({ deadLetters }) => deadLetters,
    urgent: true,
  },
  {
    path: 'schedules',
    folder: 'schedules',
    label: 'Schedules',
    icon: 'schedules',
    group: 'Routing',
    number: ({ schedules }) => schedules,
  },
  {
    path: 'queues',
    folder: 'queues',
    label: 'Queues',
    icon: 'queues',
    group: 'Routing',
    number: ({ queues }) => queues,
  },
  { path: 'url-groups', folder: 'url-groups', label: 'URL groups', icon: 'groups', group: 'Routing' },
  { path: 'flow-control', folder: 'flow-control', label: 'Flow control', icon: 'flow', group: 'Routing' },
  { path: 'keys', folder: 'keys', label: 'Keys and tokens', icon: 'keys', group: 'Server' },
  { path: 'settings', folder: 'settings', label: 'Settings', icon: 'settings', group: 'Server' },
]

const loaders = import.meta.glob<{ default: Component }>('./*/Screen.svelte')

/** How to load the screen at a path; undefined if there is none. */
export function loaderOf(path: string): (() => Promise<{ default: Component }>) | undefined {
  const entry = SCREENS.find((one) => one.path === path)
  return entry && loaders[`./${entry.folder}/Screen.svelte`]
}
