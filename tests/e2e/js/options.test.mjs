// Every option that the official JavaScript SDK reads is kept and shown, whichever method says it.
// Which options there are is seen by watching what the SDK reads: one without a case fails.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Client } from "@upstash/qstash";

const client = new Client({ baseUrl: process.env.QSTASH_URL, token: process.env.QSTASH_TOKEN });
const queue = client.queue({ queueName: "options" });
const notBefore = Math.floor(Date.now() / 1000) + 7200;
const callback = "https://example.com/callback";
before(() => queue.upsert({ paused: true }));

const CASES = {
  url: ["https://example.com/a//b%2Fc?b=2&a=%20", { url: "https://example.com/a//b%2Fc?b=2&a=%20" }],
  body: ["text", { body: "text" }],
  headers: [{ "X-App": "1" }, { header: { "X-App": ["1"] } }],
  method: ["PATCH", { method: "PATCH" }],
  retries: [7, { maxRetries: 7 }],
  retryDelay: ["1000 * (1 + retried)", { retryDelayExpression: "1000 * (1 + retried)" }],
  callback: [callback, { callback }],
  failureCallback: [callback, { failureCallback: callback }],
  timeout: ["1m30s", { timeout: 90 }],
  flowControl: [
    { key: "K/1", parallelism: 3, rate: 5, period: "1m" },
    { flowControlKey: "K/1", parallelism: 3, rate: 5, period: 60 },
  ],
  label: [["one", "two"], { label: "one", labels: ["one", "two"] }],
  notBefore: [notBefore, { notBefore: notBefore * 1000 }],
};
const SCHEDULE_CASES = {
  destination: ["https://example.com/a%2Fb?x=1", { destination: "https://example.com/a%2Fb?x=1" }],
  cron: ["TZ=Europe/Berlin 0 3 * * MON", { cron: "TZ=Europe/Berlin 0 3 * * MON" }],
  retries: [7, { retries: 7 }],
  delay: ["2h", { delay: 7200 }],
  scheduleId: ["nightly.1", { scheduleId: "nightly.1" }],
  queueName: ["options", { queueName: "options" }],
};
// Those with a test of their own below or in groups.test.mjs; `api` calls language models.
const SPECIAL = ["urlGroup", "topic", "api", "delay", "deduplicationId", "contentBasedDeduplication", "redact"];

const METHODS = {
  publish: (options) => client.publish({ delay: 3600, ...options }),
  publishJSON: (options) => client.publishJSON({ delay: 3600, ...options }),
  enqueue: (options) => queue.enqueue(options),
  enqueueJSON: (options) => queue.enqueueJSON(options),
  batch: async (options) => (await client.batch([{ delay: 3600, ...options }]))[0],
  batchJSON: async (options) => (await client.batchJSON([{ delay: 3600, ...options }]))[0],
};

const assertShows = (shown, expected) => {
  for (const [name, value] of Object.entries(expected)) {
    if (name === "header") for (const header of Object.keys(value)) assert.deepEqual(shown.header[header], value[header]);
    else assert.deepEqual(shown[name], value, name);
  }
};

// Nothing is waited for here: an option that is read is one that a case must be there for.
const optionsRead = async (call) => {
  const names = new Set();
  const watched = new Proxy({ url: "https://example.com", destination: "https://example.com", cron: "@yearly" }, {
    get(options, name) {
      names.add(name);
      return options[name];
    },
  });
  await call(watched);
  return [...names].filter((name) => !SPECIAL.includes(name)).sort();
};

// covers: publish, publishJSON, queue.enqueue, queue.enqueueJSON, batch, batchJSON
for (const [method, call] of Object.entries(METHODS)) {
  for (const [option, [value, expected]] of Object.entries(CASES)) {
    // The methods for JSON send the body as JSON, those of a queue have no time of their own.
    if (option === "notBefore" && method.startsWith("enqueue")) continue;
    test(`${method} says ${option}`, async () => {
      const { messageId } = await call({ url: "https://example.com", [option]: value });
      const json = option === "body" && method.endsWith("JSON");
      assertShows(await client.messages.get(messageId), json ? { body: '"text"' } : expected);
    });
  }

  test(`${method} answers a duplicate with the first`, async () => {
    for (const same of [{ deduplicationId: `twice-${method}` }, { contentBasedDeduplication: true }]) {
      const request = () => ({ url: "https://example.com", body: `same-${method}`, ...same });
      const [first, second] = [await call(request()), await call(request())];
      assert.deepEqual([first.deduplicated, second.deduplicated], [undefined, true]);
      assert.equal(second.messageId, first.messageId);
    }
  });

  test(`${method} hides what is redacted`, async () => {
    const headers = { "X-A": "1", "X-B": "2" };
    const cases = [[{ body: true }, "body"], [{ header: true }, "X-A X-B"], [{ header: ["X-A"] }, "X-A"]];
    for (const [redact, hidden] of cases) {
      const { messageId } = await call({ url: "https://example.com", body: "x", headers, redact });
      const { body, header } = await client.messages.get(messageId);
      const shown = { body, "X-A": header["X-A"][0], "X-B": header["X-B"][0] };
      const names = Object.keys(shown).filter((name) => shown[name].startsWith("REDACTED:"));
      assert.equal(names.join(" "), hidden);
    }
  });

  if (!method.startsWith("enqueue")) {
    test(`${method} says delay`, async () => {
      for (const delay of ["2h", 7200]) {
        const { messageId } = await call({ url: "https://example.com", delay });
        const { notBefore: due, createdAt } = await client.messages.get(messageId);
        assert.equal(due - createdAt, 7_200_000);
      }
    });
  }
}

test("there is a case for every option that a message can have", async () => {
  const expected = Object.keys(CASES).sort();
  const watched = new Client({ baseUrl: process.env.QSTASH_URL, token: process.env.QSTASH_TOKEN });
  assert.deepEqual(await optionsRead((options) => watched.publish(options)), expected);
  assert.deepEqual(await optionsRead((options) => watched.queue({ queueName: "options" }).enqueue(options)), expected);
  const inBatch = [...expected, "queueName"].sort(); // see queues.test.mjs
  assert.deepEqual(await optionsRead((options) => watched.batch([options])), inBatch);
});

const { url: _, notBefore: __, ...shared } = CASES;
const scheduleCases = { ...shared, ...SCHEDULE_CASES };
// covers: schedules.create, schedules.get
for (const [option, [value, expected]] of Object.entries(scheduleCases)) {
  test(`a schedule says ${option}`, async () => {
    const { scheduleId } = await client.schedules.create({
      destination: "https://example.com",
      cron: "@yearly",
      [option]: value,
    });
    assertShows(await client.schedules.get(scheduleId), expected);
    await client.schedules.delete(scheduleId);
  });
}

test("there is a case for every option that a schedule can have", async () => {
  const names = await optionsRead((options) => client.schedules.create(options));
  const cases = Object.keys(scheduleCases).filter((name) => !SPECIAL.includes(name));
  assert.deepEqual(names, cases.sort());
});

test("a schedule hides what is redacted", async () => {
  const { scheduleId } = await client.schedules.create({
    destination: "https://example.com",
    cron: "@yearly",
    body: "x",
    headers: { "X-App": "1" },
    redact: { body: true, header: ["X-App"] },
  });
  const { body, header } = await client.schedules.get(scheduleId);
  assert.match(body, /^REDACTED:/);
  assert.match(header["X-App"][0], /^REDACTED:/);
});
