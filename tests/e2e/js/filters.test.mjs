// Every filter that the official JavaScript SDK has finds one of two things that differ in everything.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { Client } from "@upstash/qstash";
import { startReceiver } from "./receiver.mjs";

const client = new Client({ baseUrl: process.env.QSTASH_URL, token: process.env.QSTASH_TOKEN });
const KEY = "K,1/2";
let receiver;
before(async () => {
  receiver = await startReceiver();
});
after(() => receiver.stop());
beforeEach(async () => {
  await client.messages.cancel({ all: true });
  await client.dlq.delete({ all: true });
});

// A schedule of a group that enqueues, run by hand; its message as the API shows it.
const runSchedule = async (name, url, options = {}) => {
  await client.urlGroups.addEndpoints({ name, endpoints: [{ url }] });
  const { scheduleId } = await client.schedules.create({
    destination: name,
    cron: "@yearly",
    queueName: name,
    label: "wanted",
    flowControl: { key: KEY, parallelism: 1 },
    ...options,
  });
  const [sent] = await client.http.request({ method: "POST", path: ["v2", "schedules", scheduleId, "run"] });
  return client.messages.get(sent.messageId);
};

// One that waits and is wanted, and a younger one that waits and is not.
const park = async () => {
  await client.queue({ queueName: "parked" }).upsert({ paused: true });
  const wanted = await runSchedule("parked", "https://wanted.example/path");
  while (Date.now() <= wanted.createdAt + 1);
  await client.publish({ url: "https://other.example/else", delay: 3600, label: "other" });
  return wanted;
};
const filtersOf = (wanted) => ({
  url: wanted.url,
  urlGroup: "parked",
  queueName: "parked",
  scheduleId: wanted.scheduleId,
  label: ["wanted", "unknown"],
  host: "wanted.example",
  path: "/path",
  flowControlKey: KEY,
  toDate: new Date(wanted.createdAt),
});

// covers: messages.cancel, logs
for (const filter of Object.keys(filtersOf({ createdAt: 0 }))) {
  test(`${filter} finds and cancels one message`, async () => {
    const wanted = await park();
    const value = filtersOf(wanted)[filter];
    const { logs } = await client.logs({ filter: { [filter]: value, state: "CREATED", fromDate: wanted.createdAt } });
    assert.deepEqual(logs.map(({ messageId }) => messageId), [wanted.messageId]);
    assert.deepEqual(await client.messages.cancel({ filter: { [filter]: value } }), { cancelled: 1 });
    assert.equal((await client.messages.get(wanted.messageId)).state, "CANCELED");
    assert.deepEqual(await client.messages.cancel({ all: true }), { cancelled: 1 });
  });
}

// One that failed and is wanted, and a younger one that failed and is not; the first dead letter.
const fail = async () => {
  const name = `failing-${Math.random().toString(36).slice(2)}`;
  const failureCallback = receiver.url(`/${name}-failed`);
  const wanted = await runSchedule(name, receiver.answer(`/${name}`, 503), { retries: 0, failureCallback });
  await receiver.waitFor(`/${name}-failed`);
  const other = receiver.answer(`/${name}-other`, 404);
  await client.publish({ url: other, retries: 0, label: "other", failureCallback });
  await receiver.waitFor(`/${name}-failed`, 2);
  const { messages } = await client.dlq.listMessages({ filter: { messageId: wanted.messageId } });
  return messages[0];
};
const dlqFiltersOf = (letter) => ({
  messageId: letter.messageId,
  url: letter.url,
  urlGroup: letter.topicName,
  queueName: letter.queueName,
  scheduleId: letter.scheduleId,
  label: "wanted",
  flowControlKey: KEY,
  responseStatus: 503,
  toDate: Number(letter.dlqId?.split("-")[0]),
});
const taken = { delete: ({ deleted }) => deleted, retry: ({ responses }) => responses.length };

// covers: dlq.listMessages, dlq.delete, dlq.retry
for (const filter of Object.keys(dlqFiltersOf({}))) {
  for (const action of ["delete", "retry"]) {
    test(`${filter} finds one dead letter to ${action}`, async () => {
      const letter = await fail();
      const of = { filter: { [filter]: dlqFiltersOf(letter)[filter] } };
      assert.deepEqual((await client.dlq.listMessages(of)).messages.map(({ dlqId }) => dlqId), [letter.dlqId]);
      assert.equal(taken[action](await client.dlq[action](of)), 1);
      const left = (await client.dlq.listMessages({ filter: { label: "other" } })).messages;
      assert.equal(left.length, 1);
    });
  }
}

// covers: messages.cancel, dlq.delete, dlq.retry
test("count bounds how many are taken, callerIp and fromDate narrow the choice", async () => {
  await fail();
  await park();
  const fromDate = new Date(Date.now() + 3_600_000);
  for (const filter of [{ callerIp: "203.0.113.7" }, { fromDate }]) {
    assert.deepEqual(await client.messages.cancel({ filter }), { cancelled: 0 });
    assert.equal((await client.dlq.retry({ filter })).responses.length, 0);
    assert.equal((await client.dlq.delete({ filter })).deleted, 0);
  }
  assert.deepEqual(await client.messages.cancel({ filter: { callerIp: "127.0.0.1" }, count: 1 }), { cancelled: 1 });
  assert.deepEqual(await client.messages.cancel({ all: true, count: 1 }), { cancelled: 1 });
  const first = await client.dlq.delete({ filter: { callerIp: "127.0.0.1" }, count: 1 });
  assert.equal(first.deleted, 1);
  assert.equal(typeof first.cursor, "string");
  const second = await client.dlq.retry({ all: true, count: 1, cursor: first.cursor });
  assert.equal(second.responses.length, 1);
  assert.equal(second.cursor, undefined);
});
