// The entry point of a worker. The host calls `fetch` for each request, with the variables of the worker.

import { handle } from "./handler.js";

export default {
  fetch(request, variables) {
    return handle(request, variables);
  },
};
