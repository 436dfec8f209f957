// Answers HTTP requests by a component that exports wasi:http/incoming-handler.
//
// Each request gets a new instance, as wasi:http expects: nothing of one request is seen by another, and an instance
// that has trapped answers no further request.

import { instantiate } from "./component.js";
import { cores } from "./cores.js";
import { imports } from "./imports.js";
import { repair, sendAsIs } from "./repairs.js";
import { _setEnv } from "./shim/environment.js";
import { handleIncomingRequest } from "./shim/http.js";

// Variables that belong to the deployment, and not to the component.
const OWN_VARIABLES = new Set(["RUN_DIGEST"]);

repair();

// Answers a request. The variables become the component's environment, if they are texts: a host may also pass
// objects there, such as connections to its databases.
export async function handle(request, variables) {
  const isForComponent = ([name, value]) => typeof value === "string" && !OWN_VARIABLES.has(name);
  _setEnv(Object.fromEntries(Object.entries(variables ?? {}).filter(isForComponent)));
  try {
    const component = await instantiate((name) => cores[name], imports);
    const answer = await handleIncomingRequest(request, component.incomingHandler.handle);
    return sendAsIs(answer);
  } catch (error) {
    // Visitors learn nothing about the inside of the component. Its logs have the rest.
    console.error("the component failed to answer:", error?.stack ?? error);
    return new Response("The component failed to answer this request.\n", {
      status: 500,
      headers: { "content-type": "text/plain; charset=utf-8" },
    });
  }
}
