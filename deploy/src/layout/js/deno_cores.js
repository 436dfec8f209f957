// The core WebAssembly modules of the component, compiled when the application starts.

import { names } from "./names.js";

const compile = (name) => new WebAssembly.Module(Deno.readFileSync(new URL(name, import.meta.url)));

export const cores = Object.fromEntries(names.map((name) => [name, compile(name)]));
