// Limits raise the errors that the official JavaScript SDK has for them: of a server that takes three messages a day
// and two other calls a second.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, QstashDailyRatelimitError, QstashRatelimitError } from "@upstash/qstash";

const client = new Client({ baseUrl: process.env.QSTASH_URL, token: process.env.QSTASH_TOKEN });

const isDaily = (error) => {
  assert.ok(error instanceof QstashDailyRatelimitError, String(error));
  assert.deepEqual([error.status, error.limit, error.remaining], [429, "3", "0"]);
  assert.ok(Number(error.reset) > Date.now() / 1000);
  return true;
};

// covers: publish, batch, queue.enqueue
test("a message over the daily limit is refused", async () => {
  const request = { url: "https://example.com", delay: 3600 };
  for (let n = 0; n < 3; n += 1) await client.publish(request);
  await assert.rejects(client.publish(request), isDaily);
  await assert.rejects(client.batch([request]), isDaily);
  await assert.rejects(client.queue({ queueName: "q" }).enqueue({ url: "https://example.com" }), isDaily);
});

// covers: queue.list
test("a burst of other calls is refused", async () => {
  const calls = Array.from({ length: 20 }, () => client.queue().list());
  const refused = (await Promise.allSettled(calls)).filter(({ status }) => status === "rejected");
  assert.ok(refused.length > 0);
  for (const { reason } of refused) {
    assert.ok(reason instanceof QstashRatelimitError, String(reason));
    assert.deepEqual([reason.limit, reason.remaining], ["2", "0"]);
  }
});
