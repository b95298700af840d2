/** What can be done to schedules, with its question and its words. */
import { confirm } from '../../lib/confirm.svelte.ts'
import { counted } from '../../lib/format.ts'
import { toasts } from '../../lib/toasts.svelte.ts'
import { deleteSchedule, pauseSchedule, resumeSchedule, runSchedule, type Schedule } from './api.ts'

const SCHEDULE = ['schedule', 'schedules'] as const

export const runNow = (schedule: Schedule) =>
  toasts.after(runSchedule(schedule.scheduleId), `${schedule.scheduleId} ran; when it runs next stays as it was`)
export const pause = (schedule: Schedule) =>
  toasts.after(pauseSchedule(schedule.scheduleId), `${schedule.scheduleId} is paused`)
export const resume = (schedule: Schedule) =>
  toasts.after(resumeSchedule(schedule.scheduleId), `${schedule.scheduleId} runs again from its next time on`)

/** True if they are gone. */
export async function remove(ids: readonly string[]): Promise<boolean> {
  const yes = await confirm({
    title: ids.length === 1 ? `Delete the schedule ${ids[0]}?` : 'Delete the selected schedules?',
    text: 'They publish nothing any more. What they have published goes on.',
    count: ids.length,
    noun: SCHEDULE,
    action: 'Delete',
    danger: true,
  })
  return yes && (await forEach(ids, deleteSchedule, 'deleted'))
}

export async function pauseAll(ids: readonly string[]): Promise<boolean> {
  const yes = await confirm({
    title: 'Pause the selected schedules?',
    text: 'They publish nothing until they are resumed; runs that come meanwhile are left out.',
    count: ids.length,
    noun: SCHEDULE,
    action: 'Pause',
  })
  return yes && (await forEach(ids, pauseSchedule, 'paused'))
}

export async function resumeAll(ids: readonly string[]): Promise<boolean> {
  const yes = await confirm({
    title: 'Resume the selected schedules?',
    text: 'They run again from their next time on.',
    count: ids.length,
    noun: SCHEDULE,
    action: 'Resume',
  })
  return yes && (await forEach(ids, resumeSchedule, 'resumed'))
}

/** One after the other, up to the first that is refused. */
function forEach(ids: readonly string[], act: (id: string) => Promise<void>, done: string): Promise<boolean> {
  const all = async () => {
    for (const id of ids) await act(id)
  }
  return toasts.after(all(), `${counted(ids.length, SCHEDULE)} ${done}`)
}
