// The official JavaScript SDK, unmodified, manages flow control.
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

const publish = async (key, flowControl, count = 1) => {
  for (let n = 0; n < count; n += 1) {
    await client.publish({ url: receiver.url(`/${key}`), body: String(n), flowControl: { key, ...flowControl } });
  }
};

// covers: flowControl.get, flowControl.resetRate
test("a rate holds back what is over it, until it is reset", async () => {
  await publish("rated", { rate: 1, period: "1h" }, 3);
  await receiver.waitFor("/rated");
  const info = await client.flowControl.get("rated");
  assert.deepEqual(
    [info.flowControlKey, info.rateMax, info.rateCount, info.ratePeriod, info.waitListSize],
    ["rated", 1, 1, 3600, 2],
  );
  await client.flowControl.resetRate("rated");
  await receiver.waitFor("/rated", 2);
  assert.equal((await client.flowControl.get("rated")).waitListSize, 1);
  await assert.rejects(client.flowControl.get("unknown"), { status: 404 });
});

// covers: flowControl.pause, flowControl.resume
test("a paused key lets nothing through", async () => {
  await publish("held", { parallelism: 2 });
  await receiver.waitFor("/held");
  await client.flowControl.pause("held");
  await publish("held", { parallelism: 2 }, 2);
  const info = await client.flowControl.get("held");
  assert.deepEqual([info.isPaused, info.waitListSize, receiver.at("/held").length], [true, 2, 1]);
  await client.flowControl.resume("held");
  await receiver.waitFor("/held", 3);
  assert.equal((await client.flowControl.get("held")).isPaused, false);
});

// covers: flowControl.pin, flowControl.unpin
test("a pinned key ignores what messages bring", async () => {
  await publish("pinned", { ratePerSecond: 9 });
  await client.flowControl.pin("pinned", { parallelism: 4, rate: 7, period: 30 });
  await publish("pinned", { parallelism: 1, rate: 1, period: 1 });
  const pinned = await client.flowControl.get("pinned");
  assert.deepEqual([pinned.parallelismMax, pinned.rateMax, pinned.ratePeriod], [4, 7, 30]);
  assert.deepEqual([pinned.isPinnedParallelism, pinned.isPinnedRate], [true, true]);
  await client.flowControl.unpin("pinned", { parallelism: true, rate: true });
  await publish("pinned", { parallelism: 2, rate: 3, period: 5 });
  const unpinned = await client.flowControl.get("pinned");
  assert.deepEqual([unpinned.parallelismMax, unpinned.rateMax, unpinned.ratePeriod], [2, 3, 5]);
  assert.deepEqual([unpinned.isPinnedParallelism, unpinned.isPinnedRate], [false, false]);
});

// covers: flowControl.getGlobalParallelism
test("global parallelism is told", async () => {
  const { parallelismMax, parallelismCount } = await client.flowControl.getGlobalParallelism();
  assert.ok(parallelismMax >= 1);
  assert.ok(parallelismCount >= 0);
});
