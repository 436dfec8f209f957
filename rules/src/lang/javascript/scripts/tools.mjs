// Shared by the other scripts: the places of the tools in the image, the call of wizer, and reading of modules.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const modules = '/usr/lib/jco/node_modules';
const packages = `${modules}/@bytecodealliance`;

/** The file of the engine as it was released, not yet joined with a world. */
export const released = `${packages}/componentize-js/lib/starlingmonkey_embedding.wasm`;

/** Loads the part of componentize-js that joins the engine with a world. */
export async function splicer() {
  const path = `${packages}/componentize-js/lib/spidermonkey-embedding-splicer.js`;
  return (await import(path)).splicer;
}

/** Loads the part of jco that writes type declarations. */
export async function typegen() {
  return import(`${packages}/jco-transpile/dist/index.js`);
}

/** Loads a parser of JavaScript. */
export async function parser() {
  return import(`${modules}/acorn/dist/acorn.mjs`);
}

/** Loads the function that writes a regular expression without properties of Unicode characters. */
export function rewriter() {
  return createRequire(`${modules}/`)('regexpu-core');
}

/**
 * Runs a module in the engine up to the point where its exports could be called, and writes the engine in
 * that state. wizer compiles the engine first, or finds it compiled in `cache`.
 */
export async function initialise({ engine, environment, cache, folder, module, out }) {
  const { default: wizer } = await import(`${packages}/wizer/index.js`);
  const wizerArguments = [
    '--allow-wasi',
    '--init-func=componentize.wizer',
    `--dir=${engine}`,
    `--mapdir=/::${folder}`,
    '--wasm-bulk-memory=true',
    '--inherit-env=true',
    `-o=${out}`,
    `${engine}/engine.wasm`,
  ];
  return spawnSync(wizer, wizerArguments, {
    env: { ...environment, SOURCE_NAME: module, HOME: '/tmp', XDG_CACHE_HOME: cache },
    input: `--initializer-script-path ${engine}/initializer.js --strip-path-prefix ${folder}/ ${module}`,
    stdio: ['pipe', 'inherit', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
}

/** Reads an unsigned number (LEB128) at an offset. Returns it with the offset after it. */
export function unsigned(bytes, at) {
  let value = 0;
  let shift = 0;
  let byte;
  do {
    byte = bytes[at++];
    value += (byte & 0x7f) * 2 ** shift;
    shift += 7;
  } while (byte & 0x80);
  return [value, at];
}

/** Returns the sections of a module with their ids, in order: https://webassembly.github.io/spec/core/binary/modules.html. */
export function sections(module) {
  const found = [];
  for (let at = 8; at < module.length; ) {
    const start = at;
    const id = module[at++];
    const [size, begin] = unsigned(module, at);
    at = begin + size;
    found.push({ id, bytes: module.subarray(start, at) });
  }
  return found;
}

/** Ends the program with a message for the user. */
export function fail(message) {
  console.error(message);
  process.exit(1);
}
