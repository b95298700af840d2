// BullMQ: `node bullmq.mjs front|worker`, with REDIS_URL.

import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { CONCURRENCY, deliver, serve } from "./http.mjs";

const QUEUE = "deliveries";
const connection = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });

if (process.argv[2] === "front") {
  const queue = new Queue(QUEUE, {
    connection,
    defaultJobOptions: {
      attempts: 4,
      backoff: { type: "exponential", delay: 1000 },
      removeOnComplete: true,
      removeOnFail: 1000,
    },
  });
  await queue.waitUntilReady();
  serve(async (message, delay) => (await queue.add("deliver", message, { delay })).id);
} else {
  const worker = new Worker(QUEUE, (job) => deliver(job.data), { connection, concurrency: CONCURRENCY });
  worker.on("error", (failure) => console.error(failure));
  await worker.waitUntilReady();
  console.log("ready");
}
