// The official JavaScript SDK, unmodified, enqueues and manages queues.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client } from "@upstash/qstash";
import { startReceiver } from "./receiver.mjs";

const client = new Client({ baseUrl: process.env.QSTASH_URL, token: process.env.QSTASH_TOKEN });
let receiver;
before(async () => {
  receiver = await startReceiver();
});
after(() => receiver.stop());

// covers: queue, queue.upsert, queue.get, queue.list, queue.delete
test("a queue is made, changed, shown and deleted", async () => {
  const queue = client.queue({ queueName: "made" });
  await queue.upsert({ parallelism: 3 });
  const made = await queue.get();
  assert.deepEqual([made.name, made.parallelism, made.lag, made.paused], ["made", 3, 0, false]);
  await queue.upsert({ parallelism: 5, paused: true });
  const changed = await queue.get();
  assert.deepEqual([changed.parallelism, changed.paused, changed.createdAt], [5, true, made.createdAt]);
  assert.deepEqual((await client.queue().list()).filter(({ name }) => name === "made"), [changed]);
  await queue.delete();
  await queue.delete();
  await assert.rejects(queue.get(), { status: 404 });
});

// covers: queue.pause, queue.resume, queue.enqueue
test("a paused queue delivers when it is resumed", async () => {
  const queue = client.queue({ queueName: "paused" });
  await queue.upsert({ parallelism: 1 });
  await queue.pause();
  for (const body of ["a", "b", "c"]) await queue.enqueue({ url: receiver.url("/paused"), body });
  const { lag, paused } = await queue.get();
  assert.deepEqual([lag, paused, receiver.at("/paused").length], [3, true, 0]);
  await queue.resume();
  const received = await receiver.waitFor("/paused", 3);
  assert.deepEqual(received.map(({ body }) => String(body)), ["a", "b", "c"]);
  assert.equal((await queue.get()).paused, false);
});

// covers: queue.enqueueJSON
test("a queue keeps its order while its first message fails", async () => {
  const queue = client.queue({ queueName: "ordered" });
  const url = receiver.answer("/ordered", 500);
  for (let n = 0; n < 3; n += 1) await queue.enqueueJSON({ url, body: n, retries: 1, retryDelay: "1000" });
  await receiver.waitFor("/ordered", 1);
  receiver.answer("/ordered", 200);
  const received = await receiver.waitFor("/ordered", 4);
  assert.deepEqual(received.map(({ body }) => String(body)), ["0", "0", "1", "2"]);
  assert.equal(received[1].headers["upstash-retried"], "1");
  assert.equal(received[0].headers["upstash-queue-name"], "ordered");
});

// covers: batch, batchJSON
test("items of a batch are enqueued", async () => {
  await client.queue({ queueName: "batched" }).upsert({ paused: true });
  const [first] = await client.batch([{ queueName: "batched", url: "https://a.example", body: "x" }]);
  const [second] = await client.batchJSON([{ queueName: "batched", url: "https://a.example", body: 1 }]);
  for (const { messageId } of [first, second]) {
    assert.equal((await client.messages.get(messageId)).queueName, "batched");
  }
  assert.equal((await client.queue({ queueName: "batched" }).get()).lag, 2);
});
