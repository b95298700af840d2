// With QSTASH_DEV=true the official SDK's own start of a development server finds ours running.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startDevServer } from "@upstash/qstash";

// covers: startDevServer
test("starting a development server finds the one that runs", async (context) => {
  const printed = [];
  context.mock.method(console, "log", (line) => printed.push(line));
  await startDevServer();
  assert.ok(printed.some((line) => line.includes("Server already running")), printed.join("\n"));
});
