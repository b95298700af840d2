// pg-boss: `node pg_boss.mjs front|worker`, with DATABASE_URL.

import PgBoss from "pg-boss";
import { CONCURRENCY, deliver, serve } from "./http.mjs";

const QUEUE = "deliveries";
const WORKERS = 4;
const BATCH = CONCURRENCY / WORKERS;

const boss = new PgBoss({ connectionString: process.env.DATABASE_URL, max: 20 });
boss.on("error", (failure) => console.error(failure));
await boss.start();

if (process.argv[2] === "front") {
  await boss.createQueue(QUEUE, { name: QUEUE, retryLimit: 3, retryDelay: 1, retryBackoff: true });
  serve((message, delay) => boss.send(QUEUE, message, { startAfter: delay / 1000 }));
} else {
  for (let worker = 0; worker < WORKERS; worker++) {
    const id = await boss.work(QUEUE, { batchSize: BATCH, pollingIntervalSeconds: 0.5 }, async (messages) => {
      await Promise.all(messages.map((message) => deliver(message.data)));
      // Where a batch was full there may be more: fetch at once instead of at the next poll.
      if (messages.length === BATCH) boss.notifyWorker(id);
    });
  }
  console.log("ready");
}
