// The official JavaScript SDK, unmodified, manages URL groups and publishes to them.
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

const pairs = ({ endpoints }) => endpoints.map(({ name, url }) => `${name} ${url}`).sort();

// covers: urlGroups.addEndpoints, urlGroups.get, urlGroups.list, urlGroups.removeEndpoints, urlGroups.delete
// covers: topics.addEndpoints, topics.get, topics.list, topics.removeEndpoints, topics.delete
for (const part of ["urlGroups", "topics"]) {
  test(`a group is made, changed, shown and deleted by ${part}`, async () => {
    const groups = client[part];
    const endpoints = [{ name: "a", url: "https://a.example" }, { url: "https://b.example" }];
    await groups.addEndpoints({ name: part, endpoints });
    await groups.addEndpoints({ name: part, endpoints: [{ name: "a", url: "https://c.example" }] });
    const group = await groups.get(part);
    assert.deepEqual(pairs(group), ["a https://c.example", "undefined https://b.example"]);
    assert.deepEqual((await groups.list()).filter(({ name }) => name === part), [group]);
    await groups.removeEndpoints({ name: part, endpoints: [{ url: "https://b.example" }] });
    assert.deepEqual(pairs(await groups.get(part)), ["a https://c.example"]);
    await groups.removeEndpoints({ name: part, endpoints: [{ name: "a" }] });
    await assert.rejects(groups.get(part), { status: 404 });
    await groups.addEndpoints({ name: part, endpoints });
    await groups.delete(part);
    await groups.delete(part);
    await assert.rejects(groups.get(part), { status: 404 });
  });
}

// covers: publish, publishJSON, queue.enqueue, batch
test("each endpoint gets a message of its own", async () => {
  const paths = ["/group/0", "/group/1"];
  const endpoints = paths.map((path, n) => ({ name: `endpoint-${n}`, url: receiver.url(path) }));
  await client.urlGroups.addEndpoints({ name: "fan", endpoints });
  const answers = [
    await client.publish({ urlGroup: "fan", body: "1" }),
    await client.publishJSON({ topic: "fan", body: 1 }),
    await client.queue({ queueName: "fan" }).enqueue({ urlGroup: "fan", body: "1" }),
    ...(await client.batch([{ urlGroup: "fan", body: "1" }])),
  ];
  for (const sent of answers) {
    assert.deepEqual(sent.map(({ url }) => url).sort(), paths.map((path) => receiver.url(path)));
  }
  for (const [n, path] of paths.entries()) {
    const received = await receiver.waitFor(path, answers.length);
    const ids = answers.flat().filter(({ url }) => url === receiver.url(path)).map(({ messageId }) => messageId);
    assert.deepEqual(received.map(({ headers }) => headers["upstash-message-id"]).sort(), ids.sort());
    for (const { headers } of received) {
      assert.equal(headers["upstash-topic-name"], "fan");
      assert.equal(headers["upstash-endpoint-name"], `endpoint-${n}`);
    }
  }
  const { messageId } = answers[0][0];
  assert.equal((await client.messages.get(messageId)).urlGroup, "fan");
});
