// The official JavaScript SDK, unmodified, manages schedules. They are run by hand: nothing waits for a minute to turn.
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

// covers: schedules.create, schedules.get, schedules.list, schedules.delete
test("a schedule is made, overwritten, shown and deleted", async () => {
  const made = { destination: "https://a.example", cron: "@hourly", body: "x", scheduleId: "nightly" };
  assert.equal((await client.schedules.create(made)).scheduleId, "nightly");
  assert.equal((await client.schedules.get("nightly")).body, "x");
  await client.schedules.create({ destination: "https://b.example", cron: "0 5 * * *", scheduleId: "nightly" });
  const schedule = await client.schedules.get("nightly");
  assert.deepEqual([schedule.destination, schedule.cron, schedule.body], ["https://b.example", "0 5 * * *", undefined]);
  assert.ok(schedule.nextScheduleTime > Date.now());
  const listed = await client.schedules.list();
  assert.deepEqual(listed.map(({ scheduleId, cron }) => [scheduleId, cron]), [["nightly", "0 5 * * *"]]);
  await client.schedules.delete("nightly");
  assert.deepEqual(await client.schedules.list(), []);
  await assert.rejects(client.schedules.get("nightly"), { status: 404 });
});

// covers: schedules.pause, schedules.resume
test("a schedule is paused and resumed", async () => {
  const { scheduleId } = await client.schedules.create({ destination: "https://a.example", cron: "@daily" });
  await client.schedules.pause({ schedule: scheduleId });
  assert.equal((await client.schedules.get(scheduleId)).isPaused, true);
  await client.schedules.resume({ schedule: scheduleId });
  assert.equal((await client.schedules.get(scheduleId)).isPaused, false);
  await assert.rejects(client.schedules.pause({ schedule: "unknown" }), { status: 404 });
});

// covers: schedules.create, http.request
test("a schedule delivers what it holds", async () => {
  const { scheduleId } = await client.schedules.create({
    destination: receiver.url("/scheduled"),
    cron: "@yearly",
    body: '{"a":1}',
    headers: { "X-App": "1" },
    method: "PUT",
  });
  const { messageId } = await client.http.request({ method: "POST", path: ["v2", "schedules", scheduleId, "run"] });
  const [received] = await receiver.waitFor("/scheduled");
  assert.deepEqual([received.method, String(received.body)], ["PUT", '{"a":1}']);
  assert.equal(received.headers["upstash-message-id"], messageId);
  assert.equal(received.headers["upstash-schedule-id"], scheduleId);
  assert.equal(received.headers["x-app"], "1");
  assert.equal(received.headers["content-type"], "application/json");
  assert.equal((await client.messages.get(messageId)).scheduleId, scheduleId);
});
