// What the scripts share: where the tools lie in the image, and how wizer is called.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const modules = '/usr/lib/jco/node_modules';
const packages = `${modules}/@bytecodealliance`;

/** The engine as it was released, before it knows a world. */
export const released = `${packages}/componentize-js/lib/starlingmonkey_embedding.wasm`;

/** The part of componentize-js that knits a world into the engine. */
export async function splicer() {
  const path = `${packages}/componentize-js/lib/spidermonkey-embedding-splicer.js`;
  return (await import(path)).splicer;
}

/** The part of jco that writes type declarations. */
export async function typegen() {
  return import(`${packages}/jco-transpile/dist/index.js`);
}

/** A parser of JavaScript. */
export async function parser() {
  return import(`${modules}/acorn/dist/acorn.mjs`);
}

/** What writes a regular expression without the properties of Unicode's characters. */
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

/** Reads an unsigned number (LEB128) at a place, and returns it with the place after it. */
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

/** The sections of a module, by id, in their order: https://webassembly.github.io/spec/core/binary/modules.html. */
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
