// Prints the public methods of the official JavaScript SDK, read off its prototypes, as a JSON array.
import * as sdk from "@upstash/qstash";

const client = new sdk.Client({ baseUrl: "http://127.0.0.1", token: "token" });

const membersOf = (object) => {
  const names = new Set();
  for (let level = object; level !== Object.prototype; level = Object.getPrototypeOf(level)) {
    for (const name of Object.getOwnPropertyNames(level)) names.add(name);
  }
  names.delete("constructor");
  return [...names];
};
const methodsOf = (object) => membersOf(object).filter((name) => typeof object[name] === "function");

const parts = { queue: client.queue({ queueName: "q" }), chat: client.chat() };
for (const name of membersOf(client)) {
  if (client[name] !== null && typeof client[name] === "object") parts[name] = client[name];
}
const methods = methodsOf(client);
for (const [name, part] of Object.entries(parts)) {
  methods.push(...methodsOf(part).map((method) => `${name}.${method}`));
}
const receiver = new sdk.Receiver({ currentSigningKey: "a", nextSigningKey: "b" });
methods.push(...methodsOf(receiver).map((method) => `Receiver.${method}`), "startDevServer");
console.log(JSON.stringify(methods.sort()));
