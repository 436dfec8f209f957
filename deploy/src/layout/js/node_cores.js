// The core WebAssembly modules of the component, compiled when the function starts.

import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { names } from "./names.js";

// Node.js 24 has suspension (JSPI) behind a flag of its engine, which a function can't pass on its command line. Newer
// versions have it by default. A context that is made after the flag was set has the two functions.
if (!WebAssembly.Suspending) {
  setFlagsFromString("--experimental-wasm-jspi");
  const { Suspending, promising, SuspendError } = runInNewContext("WebAssembly");
  Object.assign(WebAssembly, { Suspending, promising, SuspendError });
}

const compile = (name) => new WebAssembly.Module(readFileSync(new URL(name, import.meta.url)));

export const cores = Object.fromEntries(names.map((name) => [name, compile(name)]));
