// A destination over real HTTP: it writes down every request and answers as told.
import { createServer } from "node:http";

const PATIENCE_MS = 45_000;

export async function startReceiver() {
  const requests = [];
  const statuses = new Map();
  const waiting = new Set();

  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method, url, headers } = request;
    requests.push({ method, url, headers, body: Buffer.concat(chunks) });
    response.writeHead(statuses.get(url) ?? 200).end("seen");
    for (const look of waiting) look();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;

  const at = (path) => requests.filter((request) => request.url === path);

  return {
    origin,
    url: (path) => origin + path,
    at,
    answer(path, status) {
      statuses.set(path, status);
      return origin + path;
    },
    // The requests at a path once there are so many.
    waitFor(path, count = 1) {
      return new Promise((resolve, reject) => {
        const look = () => {
          if (at(path).length < count) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve(at(path));
        };
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`${at(path).length} of ${count} requests at ${path} within ${PATIENCE_MS} ms`));
        }, PATIENCE_MS);
        waiting.add(look);
        look();
      });
    },
    stop: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}
