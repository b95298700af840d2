// Deliveries verify with the official receiver, across a rotation of keys too.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, Receiver } from "@upstash/qstash";
import { startReceiver } from "./receiver.mjs";

const { QSTASH_URL, QSTASH_TOKEN, QSTASH_CURRENT_SIGNING_KEY, QSTASH_NEXT_SIGNING_KEY } = process.env;
const client = new Client({ baseUrl: QSTASH_URL, token: QSTASH_TOKEN });
const verifier = new Receiver({
  currentSigningKey: QSTASH_CURRENT_SIGNING_KEY,
  nextSigningKey: QSTASH_NEXT_SIGNING_KEY,
});
let receiver;
before(async () => {
  receiver = await startReceiver();
});
after(() => receiver.stop());

const deliver = async (path, body) => {
  await client.publish({ url: receiver.url(path), body });
  const [received] = await receiver.waitFor(path);
  return { signature: received.headers["upstash-signature"], body: String(received.body), url: receiver.url(path) };
};

// covers: Receiver.verify
test("a delivery verifies against its URL and body", async () => {
  const request = await deliver("/signed/a%2Fb?x=1&y=%20z", '{"n":"é"}');
  assert.equal(await verifier.verify(request), true);
  await assert.rejects(verifier.verify({ ...request, body: "other" }), { name: "SignatureError" });
  await assert.rejects(verifier.verify({ ...request, url: receiver.url("/other") }), { name: "SignatureError" });
  await assert.rejects(verifier.verify({ ...request, signature: `${request.signature}x` }), { name: "SignatureError" });
});

// covers: Receiver.verify
test("a receiver that holds both keys verifies across one rotation", async () => {
  const keys = async (path, method) => {
    const response = await fetch(`${QSTASH_URL}/v2/${path}`, {
      method,
      headers: { Authorization: `Bearer ${QSTASH_TOKEN}` },
    });
    assert.equal(response.status, 200);
    const { current, next } = await response.json();
    return { current, next };
  };
  assert.deepEqual(await keys("keys", "GET"), { current: QSTASH_CURRENT_SIGNING_KEY, next: QSTASH_NEXT_SIGNING_KEY });
  const early = await deliver("/early", "early");
  const rotated = await keys("keys/rotate", "POST");
  assert.equal(rotated.current, QSTASH_NEXT_SIGNING_KEY);
  assert.deepEqual(await keys("keys", "GET"), rotated);
  const late = await deliver("/late", "late");
  assert.equal(await verifier.verify(early), true);
  assert.equal(await verifier.verify(late), true);
  const renewed = new Receiver({ currentSigningKey: rotated.current, nextSigningKey: rotated.next });
  assert.equal(await renewed.verify(late), true);
});
