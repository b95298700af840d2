// The official JavaScript SDK, unmodified, reads, cancels, retries and deletes.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { Client } from "@upstash/qstash";
import { startReceiver } from "./receiver.mjs";

const client = new Client({ baseUrl: process.env.QSTASH_URL, token: process.env.QSTASH_TOKEN });
let receiver;
before(async () => {
  receiver = await startReceiver();
});
after(() => receiver.stop());
beforeEach(async () => {
  await client.messages.cancel({ all: true });
});

const park = async (count, options = {}) => {
  const ids = [];
  for (let n = 0; n < count; n += 1) {
    const sent = await client.publish({ url: receiver.url("/parked"), body: String(n), delay: 3600, ...options });
    ids.push(sent.messageId);
  }
  return ids;
};

const stateOf = async (messageId) => (await client.logs({ filter: { messageId }, count: 1 })).logs[0].state;

// Publish something that its destination refuses; its dead letter.
const failForGood = async (path, options = {}) => {
  const { messageId } = await client.publish({
    url: receiver.answer(path, 500),
    body: "try",
    retries: 0,
    failureCallback: receiver.url(`${path}-failed`),
    ...options,
  });
  await receiver.waitFor(`${path}-failed`);
  const { messages } = await client.dlq.listMessages({ filter: { messageId } });
  assert.equal(messages.length, 1);
  return messages[0];
};

// covers: messages.cancel, messages.delete
test("one message is cancelled", async () => {
  const [messageId] = await park(1);
  assert.deepEqual(await client.messages.cancel(messageId), { cancelled: 1 });
  assert.equal(await stateOf(messageId), "CANCELED");
  await assert.rejects(client.messages.cancel(messageId), { status: 404 });
  const [other] = await park(1);
  await client.messages.delete(other);
  assert.equal(await stateOf(other), "CANCELED");
});

// covers: messages.cancel, messages.deleteMany
test("many are cancelled by their ids", async () => {
  const [first, second, third] = await park(3);
  assert.deepEqual(await client.messages.cancel([first, second]), { cancelled: 2 });
  assert.deepEqual(await client.messages.cancel([]), { cancelled: 0 });
  assert.equal(await client.messages.deleteMany([second, third]), 1);
});

// covers: messages.cancel
test("messages are cancelled by filters, values OR-ed and filters AND-ed", async () => {
  const [red] = await park(1, { label: "red" });
  const [blue] = await park(1, { label: "blue" });
  const [elsewhere] = await park(1, { label: "blue", url: receiver.url("/elsewhere") });
  const cancel = (filter) => client.messages.cancel({ filter });
  assert.deepEqual(await cancel({ label: "green" }), { cancelled: 0 });
  assert.deepEqual(await cancel({ label: ["blue", "green"], path: "/elsewhere" }), { cancelled: 1 });
  assert.equal(await stateOf(elsewhere), "CANCELED");
  assert.deepEqual(await cancel({ fromDate: new Date(Date.now() + 60_000) }), { cancelled: 0 });
  assert.deepEqual(await cancel({ host: new URL(receiver.origin).host, label: ["red", "blue"] }), { cancelled: 2 });
  assert.deepEqual([await stateOf(red), await stateOf(blue)], ["CANCELED", "CANCELED"]);
});

// covers: messages.cancel, messages.deleteAll
test("all are cancelled", async () => {
  await park(4);
  assert.deepEqual(await client.messages.cancel({ all: true }), { cancelled: 4 });
  await park(2);
  assert.equal(await client.messages.deleteAll(), 2);
});

// covers: logs, events
test("the log is filtered and read page by page", async () => {
  const ids = await park(5, { label: "paged" });
  const { logs, events } = await client.logs({ messageIds: ids.slice(0, 2) });
  assert.deepEqual(new Set(logs.map(({ messageId }) => messageId)), new Set(ids.slice(0, 2)));
  assert.deepEqual(events, logs);
  const seen = [];
  let cursor;
  do {
    const page = await client.logs({ filter: { label: "paged", state: "CREATED" }, count: 2, cursor });
    seen.push(...page.logs.map(({ messageId }) => messageId));
    cursor = page.cursor;
  } while (cursor);
  assert.deepEqual(seen, ids.toReversed?.() ?? [...ids].reverse());
  const deprecated = await client.events({ filter: { label: "paged" }, count: 1 });
  assert.equal(deprecated.events.length, 1);
  assert.equal(typeof deprecated.cursor, "string");
});

// covers: logs
test("a delivery is told in full", async () => {
  const { messageId } = await client.publish({
    url: receiver.url("/told"),
    body: "hello",
    callback: receiver.url("/told-callback"),
  });
  const [{ body }] = await receiver.waitFor("/told-callback");
  const callback = JSON.parse(body);
  assert.deepEqual([callback.status, callback.sourceMessageId], [200, messageId]);
  assert.equal(atob(callback.body), "seen");
  const { logs } = await client.logs({ filter: { messageId } });
  assert.deepEqual(logs.map(({ state }) => state), ["DELIVERED", "ACTIVE", "CREATED"]);
  assert.deepEqual([logs[0].responseStatus, logs[0].responseBody], [200, "seen"]);
  assert.equal(atob(logs[0].body), "hello");
});

// covers: dlq.listMessages, dlq.delete
test("dead letters are listed by filter and by id", async () => {
  const letters = [await failForGood("/dlq/0", { label: "zero" }), await failForGood("/dlq/1", { label: "one" })];
  assert.equal(letters[0].responseStatus, 500);
  assert.equal(letters[0].responseBody, "seen");
  assert.equal(letters[0].url, receiver.url("/dlq/0"));
  const listed = async (options) => (await client.dlq.listMessages(options)).messages.map(({ dlqId }) => dlqId);
  assert.deepEqual(await listed({ filter: { label: "one" } }), [letters[1].dlqId]);
  assert.deepEqual(await listed({ dlqIds: [letters[0].dlqId] }), [letters[0].dlqId]);
  assert.deepEqual(await listed({ filter: { responseStatus: 404 } }), []);
  const first = await client.dlq.listMessages({ count: 1 });
  const second = await client.dlq.listMessages({ count: 1, cursor: first.cursor });
  assert.deepEqual(
    [first.messages[0].dlqId, second.messages[0].dlqId],
    [letters[1].dlqId, letters[0].dlqId],
  );
  assert.deepEqual(await client.dlq.delete({ all: true }), { deleted: 2 });
});

// covers: dlq.delete, dlq.deleteMany
test("dead letters are deleted one, many and by filter", async () => {
  const ids = [];
  for (const n of [0, 1, 2, 3]) ids.push((await failForGood(`/gone/${n}`, { label: `g${n}` })).dlqId);
  assert.deepEqual(await client.dlq.delete(ids[0]), { deleted: 1 });
  await assert.rejects(client.dlq.delete(ids[0]), { status: 404 });
  assert.deepEqual(await client.dlq.delete([ids[0], ids[1]]), { deleted: 1 });
  assert.deepEqual(await client.dlq.deleteMany({ dlqIds: [ids[2]] }), { deleted: 1 });
  assert.deepEqual(await client.dlq.delete({ filter: { label: "g9" } }), { deleted: 0 });
  assert.deepEqual(await client.dlq.delete({ filter: { label: "g3" } }), { deleted: 1 });
});

// covers: dlq.retry
test("dead letters are tried anew, and leave the queue", async () => {
  const first = await failForGood("/anew/0");
  const second = await failForGood("/anew/1", { label: "anew" });
  receiver.answer("/anew/0", 200);
  receiver.answer("/anew/1", 200);
  const one = await client.dlq.retry(first.dlqId);
  assert.equal(one.responses.length, 1);
  assert.notEqual(one.responses[0].messageId, first.messageId);
  assert.equal(one.cursor, undefined);
  const [, again] = await receiver.waitFor("/anew/0", 2);
  assert.equal(again.headers["upstash-message-id"], one.responses[0].messageId);
  assert.equal(again.headers["upstash-retried"], "0");
  await assert.rejects(client.dlq.retry([first.dlqId, second.dlqId]), { status: 404 });
  assert.equal((await client.dlq.retry({ filter: { label: "anew" } })).responses.length, 1);
  await receiver.waitFor("/anew/1", 2);
  assert.deepEqual((await client.dlq.listMessages()).messages, []);
  assert.deepEqual(await client.dlq.retry({ all: true }), { responses: [], cursor: undefined });
});
