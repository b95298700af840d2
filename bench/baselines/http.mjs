// What the peers that run on Node have in common: taking messages by HTTP, and delivering them.

import { createServer } from "node:http";
import { Agent, request } from "undici";

export const CONCURRENCY = 200;

const destinations = new Agent({ connections: CONCURRENCY, pipelining: 1 });

/** Take `POST /publish/{destination}`; the answer is given once `keep(message, delayMs)` has kept it. */
export function serve(keep) {
  const server = createServer(async (incoming, answer) => {
    try {
      let body = "";
      incoming.setEncoding("utf8");
      for await (const piece of incoming) body += piece;
      const url = incoming.url.slice("/publish/".length);
      const id = await keep({ url, body }, Number(incoming.headers["delay-ms"] ?? 0));
      answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ id }));
    } catch (failure) {
      answer.writeHead(500).end(String(failure));
    }
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
}

/** POST a message to its destination; an answer that is not 2xx is a failure, which is tried again. */
export async function deliver({ url, body }) {
  const { statusCode, body: answered } = await request(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
    dispatcher: destinations,
  });
  await answered.dump();
  if (statusCode < 200 || statusCode > 299) throw new Error(`the destination answered ${statusCode}`);
}
