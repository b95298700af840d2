/**
 * Answers, in `npm run dev` with `OUTRIDER_TOKEN` alone, for what a browser with a session would be answered: who is
 * signed in, and what changes. `OUTRIDER_SCOPE=read` shows what a read-only token sees.
 */
import type { ServerResponse } from 'node:http'
import type { Connect, Plugin } from 'vite'

const ALL = ['messages', 'logs', 'dlq', 'schedules', 'queues', 'urlGroups', 'flowControl', 'tokens']

export function standIn(server: string, token: string): Plugin {
  const headers = { authorization: `Bearer ${token}` }
  let signedIn = true

  function session(request: Connect.IncomingMessage, response: ServerResponse): void {
    if (request.method !== 'GET') signedIn = request.method === 'POST'
    const known = signedIn || request.method === 'DELETE'
    response.statusCode = known ? 200 : 401
    response.setHeader('content-type', 'application/json')
    const now = Date.now()
    const principal = {
      tenant: 'default',
      scope: process.env.OUTRIDER_SCOPE ?? 'full',
      token: 'development',
      expiresAt: now + 86_400_000,
      version: 'dev',
      time: now,
    }
    response.end(JSON.stringify(known ? principal : { error: 'Nobody is signed in.' }))
  }

  function live(request: Connect.IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    let newest = 0
    const timer = setInterval(async () => {
      const page = await fetch(`${server}/v2/logs?count=1&trimBody=true`, { headers }).then((answer) => answer.json())
      const time = page.logs[0]?.time ?? 0
      const count = time > newest ? 1 : 0
      const pulse = { time: Date.now(), accepted: count, delivered: count, failed: 0, deadLettered: 0 }
      response.write(`event: pulse\ndata: ${JSON.stringify(pulse)}\n\n`)
      if (count) response.write(`event: changed\ndata: ${JSON.stringify({ topics: ALL })}\n\n`)
      newest = time
    }, 1000)
    request.on('close', () => clearInterval(timer))
  }

  /** Rows grouped by message, from as many entries as one page holds. */
  async function logs(request: Connect.IncomingMessage, response: ServerResponse, next: () => void): Promise<void> {
    const url = new URL(request.originalUrl ?? '', server)
    if (!url.searchParams.has('groupBy')) return next()
    url.searchParams.delete('groupBy')
    url.searchParams.set('count', '1000')
    url.searchParams.set('trimBody', 'true')
    const answer = await fetch(url, { headers })
    const page = await answer.json()
    response.statusCode = answer.status
    response.setHeader('content-type', 'application/json')
    if (!answer.ok) return void response.end(JSON.stringify(page))
    const messages = new Map()
    for (const entry of page.logs) {
      const known = messages.get(entry.messageId) ?? { ...entry, entries: 0, attempts: 0, lastTime: entry.time }
      known.entries++
      known.firstTime = entry.time
      known.attempts += entry.state === 'ACTIVE' ? 1 : 0
      known.responseStatus ??= entry.responseStatus
      messages.set(entry.messageId, known)
    }
    response.end(JSON.stringify({ messages: [...messages.values()], cursor: page.cursor }))
  }

  return {
    name: 'stand-in',
    configureServer({ middlewares }) {
      middlewares.use('/console/api/session', session)
      middlewares.use('/console/api/live', live)
      middlewares.use('/v2/logs', logs)
    },
  }
}
