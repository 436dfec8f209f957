// The entry point of an application on Deno.

import { handle } from "./handler.js";
import { variables } from "./variables.js";

Deno.serve((request) => handle(request, variables));
