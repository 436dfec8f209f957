// The entry point of a function on Vercel, whose Node.js runtime calls it with Node's requests and responses.

import { Readable } from "node:stream";

import { handle } from "./handler.js";
import { variables } from "./variables.js";

export default async function (incoming, outgoing) {
  const scheme = incoming.headers["x-forwarded-proto"] ?? "https";
  const url = new URL(incoming.url, `${scheme}://${incoming.headers.host ?? "localhost"}`);
  const headers = new Headers();
  for (let at = 0; at < incoming.rawHeaders.length; at += 2) {
    headers.append(incoming.rawHeaders[at], incoming.rawHeaders[at + 1]);
  }
  const { method } = incoming;
  const hasBody = method !== "GET" && method !== "HEAD";
  const body = hasBody ? { body: Readable.toWeb(incoming), duplex: "half" } : {};
  const answer = await handle(new Request(url, { method, headers, ...body }), variables);
  outgoing.statusCode = answer.status;
  for (const [name, value] of answer.headers) outgoing.appendHeader(name, value);
  outgoing.end(new Uint8Array(await answer.arrayBuffer()));
}
