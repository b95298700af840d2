import { describe, expect, it } from 'vitest'
import { EMPTY, type Draft } from './draft.ts'
import { environmentText, snippet } from './snippets.ts'

const URL = 'http://127.0.0.1:8080'
const draft = (said: Partial<Draft>): Draft => ({ ...EMPTY, to: 'https://example.com/a', ...said })
const curl = (said: Partial<Draft>) => snippet('curl', draft(said), URL)
const python = (said: Partial<Draft>) => snippet('python', draft(said), URL)
const typescript = (said: Partial<Draft>) => snippet('typescript', draft(said), URL)
/** What follows the client, which is the same everywhere. */
const call = (code: string) => code.slice(code.search(/^(answer|schedule_id|const (answer|schedule)) =/m))

describe('curl', () => {
  it('sends what was typed', () => {
    expect(
      curl({
        to: 'https://example.com/a?b=c&d=$e',
        type: 'text/plain',
        body: "@it's\n",
        headers: [
          { name: 'X-Order', value: '7' },
          { name: 'X-Empty', value: '' },
        ],
      }),
    ).toBe(
      [
        `curl -X POST`,
        `'http://127.0.0.1:8080/v2/publish/https://example.com/a?b=c&d=$e'`,
        `-H "Authorization: Bearer $QSTASH_TOKEN"`,
        `-H 'Content-Type: text/plain'`,
        `-H 'Upstash-Forward-X-Order: 7'`,
        `-H 'Upstash-Forward-X-Empty;'`,
        `--data-raw '@it'\\''s\n'`,
      ].join(' \\\n  '),
    )
  })

  it('says no type where there is none', () => {
    expect(curl({ type: '', body: 'x' })).toContain(`-H 'Content-Type:' \\\n  --data-raw 'x'`)
    expect(curl({})).not.toContain('Content-Type')
  })

  it('leaves the URL as it is', () => {
    expect(curl({ to: 'https://example.com/[1]/{2}' })).toContain('curl -X POST --globoff \\\n')
    expect(curl({ to: 'https://example.com/a/../b' })).toContain('curl -X POST --path-as-is \\\n')
  })
})

describe('Python', () => {
  it('names the server and takes the token from the environment', () => {
    expect(python({})).toBe(`import os

from qstash import QStash

client = QStash(
    token=os.environ["QSTASH_TOKEN"],
    base_url="http://127.0.0.1:8080",
)
answer = client.message.publish(
    url="https://example.com/a",
)
print(answer)
`)
  })

  it('publishes JSON as a value and anything else as text', () => {
    expect(call(python({ body: '{"order": 7, "paid": true}', delay: '1h30m', when: 'delay', retries: '5' }))).toBe(
      `answer = client.message.publish_json(
    url="https://example.com/a",
    body={"order": 7, "paid": True},
    delay="1h30m",
    retries=5,
)
print(answer)
`,
    )
    expect(call(python({ to: 'orders', body: '{"a": 1}', type: 'text/plain' }))).toBe(
      `answer = client.message.publish(
    url_group="orders",
    body="{\\"a\\": 1}",
    content_type="text/plain",
)
print(answer)
`,
    )
  })

  it('enqueues', () => {
    expect(call(python({ queue: 'orders', body: 'hi', type: '', deduplicationId: 'order-7' }))).toBe(
      `answer = client.message.enqueue(
    queue="orders",
    url="https://example.com/a",
    body="hi",
    deduplication_id="order-7",
)
print(answer)
`,
    )
  })

  it('enqueues by a batch what enqueue has no argument for', () => {
    expect(call(python({ queue: 'orders', body: '{"a": 1}', when: 'delay', delay: '90', retryDelay: '1000' }))).toBe(
      `answer = client.message.batch([
    {
        "queue": "orders",
        "url": "https://example.com/a",
        "body": "{\\"a\\": 1}",
        "delay": 90,
        "retry_delay": "1000",
        "content_type": "application/json",
    }
])
print(answer)
`,
    )
  })

  it('makes schedules', () => {
    expect(
      call(python({ when: 'cron', cron: '0 9 * * *', timezone: 'Europe/Berlin', queue: 'q', scheduleId: 'daily', deduplicationId: 'x' })),
    ).toBe(`schedule_id = client.schedule.create(
    destination="https://example.com/a",
    cron="CRON_TZ=Europe/Berlin 0 9 * * *",
    schedule_id="daily",
    queue="q",
)
print(schedule_id)
`)
  })

  it('joins headers of one name', () => {
    const headers = [
      { name: 'X-A', value: '1' },
      { name: 'X-A', value: '"2"' },
    ]
    expect(python({ headers })).toContain(`headers={"X-A": "1, \\"2\\""},`)
  })
})

describe('TypeScript', () => {
  it('publishes JSON as a value', () => {
    expect(
      typescript({
        body: '{"order": 7}',
        method: 'PUT',
        headers: [{ name: 'X-A', value: '1' }],
        when: 'at',
        notBefore: '1800000000',
        timeout: '1h30m',
        flowControlKey: 'k',
        rate: '5',
        period: '1m',
        contentBasedDeduplication: true,
        label: 'a, b',
      }),
    ).toBe(`import { Client } from "@upstash/qstash";

const client = new Client({
  baseUrl: "http://127.0.0.1:8080",
  token: process.env.QSTASH_TOKEN,
});
const answer = await client.publishJSON({
  url: "https://example.com/a",
  body: { order: 7 },
  method: "PUT",
  headers: { "X-A": "1" },
  notBefore: 1800000000,
  timeout: 5400,
  contentBasedDeduplication: true,
  flowControl: { key: "k", rate: 5, period: "1m" },
  label: "a, b",
});
console.log(answer);
`)
  })

  it('sends text where JavaScript would change a number', () => {
    expect(call(typescript({ body: '{"id": 12345678901234567890}' }))).toBe(`const answer = await client.publish({
  url: "https://example.com/a",
  body: "{\\"id\\": 12345678901234567890}",
  headers: { "Content-Type": "application/json" },
});
console.log(answer);
`)
  })

  it('enqueues, with a delay that the SDK has no type for', () => {
    expect(call(typescript({ queue: 'orders', when: 'delay', delay: '1.5s' }))).toBe(
      `const answer = await client.queue({ queueName: "orders" }).enqueue({
  url: "https://example.com/a",
  headers: { "Upstash-Delay": "1.5s" },
});
console.log(answer);
`,
    )
  })

  it('makes schedules', () => {
    expect(call(typescript({ when: 'cron', cron: '@daily', body: '{"a": [1]}', queue: 'q' }))).toBe(
      `const schedule = await client.schedules.create({
  destination: "https://example.com/a",
  body: JSON.stringify({ a: [1] }),
  headers: { "Content-Type": "application/json" },
  cron: "@daily",
  queueName: "q",
});
console.log(schedule.scheduleId);
`,
    )
  })
})

it('writes the environment', () => {
  expect(environmentText({ QSTASH_URL: URL, QSTASH_TOKEN: 'ey=', QSTASH_CURRENT_SIGNING_KEY: "a'b" })).toBe(
    `export QSTASH_URL=http://127.0.0.1:8080\nexport QSTASH_TOKEN=ey=\nexport QSTASH_CURRENT_SIGNING_KEY='a'\\''b'\n`,
  )
})
