// The official JavaScript SDK, unmodified, publishes.
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

// covers: publish
test("a published body arrives byte for byte", async () => {
  const body = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const { messageId } = await client.publish({
    url: receiver.url("/bytes?b=2&a=%2F"),
    body,
    headers: { "Content-Type": "application/x-thing", "X-App": "1" },
    method: "PUT",
  });
  const [received] = await receiver.waitFor("/bytes?b=2&a=%2F");
  assert.deepEqual(received.body, Buffer.from(body));
  assert.equal(received.method, "PUT");
  assert.equal(received.headers["content-type"], "application/x-thing");
  assert.equal(received.headers["x-app"], "1");
  assert.equal(received.headers["upstash-message-id"], messageId);
  assert.equal(received.headers["upstash-telemetry-sdk"], undefined);
});

// covers: publishJSON
test("JSON arrives as JSON", async () => {
  await client.publishJSON({ url: receiver.url("/json"), body: { a: [1, "é"] } });
  const [received] = await receiver.waitFor("/json");
  assert.deepEqual(JSON.parse(received.body), { a: [1, "é"] });
  assert.equal(received.headers["content-type"], "application/json");
});

// covers: publishJSON, messages.get
test("every option is kept and shown", async () => {
  const { messageId } = await client.publishJSON({
    url: receiver.url("/options"),
    body: { n: 1 },
    method: "PATCH",
    headers: { "X-App": "1", "Upstash-Callback-Forward-X-Cb": "2" },
    retries: 2,
    retryDelay: "pow(2, retried) * 1000",
    callback: receiver.url("/callback"),
    failureCallback: receiver.url("/failed"),
    delay: 3600,
    deduplicationId: "all-options",
    timeout: 20,
    flowControl: { key: "K/1", parallelism: 3, rate: 5, period: "1m" },
    label: ["first", "second"],
    redact: { header: ["X-Secret"] },
  });
  const message = await client.messages.get(messageId);
  assert.equal(message.messageId, messageId);
  assert.equal(message.url, receiver.url("/options"));
  assert.equal(message.method, "PATCH");
  assert.equal(message.body, '{"n":1}');
  assert.deepEqual(message.header, { "Content-Type": ["application/json"], "X-App": ["1"] });
  assert.deepEqual(message.callbackHeader["X-Cb"], ["2"]);
  assert.equal(message.maxRetries, 2);
  assert.equal(message.retryDelayExpression, "pow(2, retried) * 1000");
  assert.equal(message.callback, receiver.url("/callback"));
  assert.equal(message.failureCallback, receiver.url("/failed"));
  assert.equal(message.notBefore - message.createdAt, 3_600_000);
  assert.equal(message.timeout, 20);
  assert.equal(message.label, "first");
  assert.deepEqual(message.labels, ["first", "second"]);
  assert.deepEqual(
    [message.flowControlKey, message.parallelism, message.rate, message.period],
    ["K/1", 3, 5, 60],
  );
  assert.equal(message.callerIp, "127.0.0.1");
});

// covers: publish, messages.get
test("not-before beats the delay", async () => {
  const notBefore = Math.floor(Date.now() / 1000) + 7200;
  const { messageId } = await client.publish({ url: receiver.url("/later"), delay: "1h", notBefore });
  assert.equal((await client.messages.get(messageId)).notBefore, notBefore * 1000);
});

// covers: publish
test("duplicates are told by id and by content", async () => {
  for (const same of [{ deduplicationId: "once" }, { contentBasedDeduplication: true }]) {
    const request = { url: receiver.url("/once"), body: "same", ...same };
    const first = await client.publish(request);
    const second = await client.publish(request);
    assert.equal(first.deduplicated, undefined);
    assert.equal(second.deduplicated, true);
    assert.equal(second.messageId, first.messageId);
  }
});

// covers: batch
test("a batch answers in order", async () => {
  const sent = await client.batch([
    { url: receiver.url("/batch/0"), body: "zero", headers: { "X-N": "0" } },
    { url: receiver.url("/batch/1"), body: "one", method: "PUT" },
  ]);
  assert.equal(sent.length, 2);
  for (const [n, { messageId }] of sent.entries()) {
    const [received] = await receiver.waitFor(`/batch/${n}`);
    assert.equal(received.headers["upstash-message-id"], messageId);
    assert.equal(String(received.body), ["zero", "one"][n]);
  }
});

// covers: batchJSON
test("a batch of JSON arrives as JSON, a batch of one is an array", async () => {
  const [sent, ...others] = await client.batchJSON([
    { url: receiver.url("/batch-json"), body: { a: 1 }, label: "batched", retries: 0 },
  ]);
  assert.deepEqual(others, []);
  const [received] = await receiver.waitFor("/batch-json");
  assert.deepEqual(JSON.parse(received.body), { a: 1 });
  assert.equal(received.headers["content-type"], "application/json");
  assert.equal((await client.messages.get(sent.messageId)).label, "batched");
});

// covers: publish
test("a refusal carries its status and its sentence", async () => {
  await assert.rejects(client.publish({ url: receiver.url("/bad"), delay: "5x" }), (error) => {
    assert.equal(error.name, "QstashError");
    assert.equal(error.status, 400);
    assert.match(JSON.parse(error.message).error, /Upstash-Delay '5x'/);
    return true;
  });
  await assert.rejects(client.publish({ urlGroup: "no-such-group" }), { status: 404 });
  await assert.rejects(client.publish({ url: "example.com" }), /invalid scheme/);
  await assert.rejects(
    new Client({ baseUrl: process.env.QSTASH_URL, token: "wrong" }).publish({ url: receiver.url("/bad") }),
    { status: 401 },
  );
});
