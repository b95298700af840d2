import type { Fact } from '../components/Facts.svelte'
import type { Origin } from './api.ts'
import { router } from './router.svelte.ts'

/** Where a message came from and what it asked for, with links to what it names. */
export function originFacts(of: Origin): Fact[] {
  const linked = (name: string, screen: string, value: string | undefined): Fact => ({
    name,
    value,
    href: value && router.href(screen, [value]),
  })
  return [
    { name: 'Retry delay', value: of.retryDelayExpression },
    linked('Queue', 'queues', of.queueName),
    linked('URL group', 'url-groups', of.topicName),
    linked('Schedule', 'schedules', of.scheduleId),
    linked('Flow control', 'flow-control', of.flowControlKey),
    { name: 'Labels', value: of.labels?.join(', ') },
    { name: 'Callback', value: of.callback },
    { name: 'Failure callback', value: of.failureCallback },
    { name: 'Published by', value: of.callerIp },
  ]
}
