// With QSTASH_DEV=true the official SDK attaches to a running development server and needs nothing else.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, Receiver } from "@upstash/qstash";
import { startReceiver } from "./receiver.mjs";

let receiver;
before(async () => {
  receiver = await startReceiver();
});
after(() => receiver.stop());

// covers: publishJSON, Receiver.verify
test("the SDK attaches, publishes, and verifies what arrives", async (context) => {
  assert.equal(process.env.QSTASH_TOKEN, undefined);
  const printed = [];
  context.mock.method(console, "log", (line) => printed.push(line));
  const client = new Client();
  const { messageId } = await client.publishJSON({ url: receiver.url("/dev"), body: { a: 1 } });
  const [received] = await receiver.waitFor("/dev");
  assert.equal(received.headers["upstash-message-id"], messageId);
  assert.ok(printed.some((line) => line.includes("Server already running")), printed.join("\n"));
  assert.equal(
    await new Receiver().verify({
      signature: received.headers["upstash-signature"],
      body: String(received.body),
      url: receiver.url("/dev"),
    }),
    true,
  );
});
