// The entry point of a function on AWS Lambda behind a function URL or an HTTP API (payload format 2.0).

import { handle } from "./handler.js";
import { variables } from "./variables.js";

export async function handler(event) {
  const { domainName, http } = event.requestContext;
  const query = event.rawQueryString ? `?${event.rawQueryString}` : "";
  const headers = new Headers(event.headers);
  if (event.cookies) headers.set("cookie", event.cookies.join("; "));
  const hasBody = event.body && http.method !== "GET" && http.method !== "HEAD";
  const body = hasBody ? Buffer.from(event.body, event.isBase64Encoded ? "base64" : "utf8") : undefined;
  const url = `https://${domainName}${event.rawPath}${query}`;
  const answer = await handle(new Request(url, { method: http.method, headers, body }), variables);
  const plain = [...answer.headers].filter(([name]) => name !== "set-cookie");
  return {
    statusCode: answer.status,
    headers: Object.fromEntries(plain),
    cookies: answer.headers.getSetCookie(),
    body: Buffer.from(await answer.arrayBuffer()).toString("base64"),
    isBase64Encoded: true,
  };
}
