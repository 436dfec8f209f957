// Prepares the JavaScript engine for a world: `node engine.mjs WORLD FEATURE…`.
//
// Leaves in /out/engine the engine with the world's functions knitted in, and the same with stubs in the place of
// what the features need that are off; in /out/cache the engine compiled for this machine. All of it depends on the
// WIT alone, and is most of what making a component takes.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fail, initialise, released, splicer } from './tools.mjs';

const [world, ...features] = process.argv.slice(2);
const engine = '/out/engine';
const cache = '/out/cache';

const wit = join(engine, 'wit');
copyOpened('/wit', wit);

const { spliceBindings, stubWasi } = await splicer();
let spliced;
try {
  spliced = spliceBindings(readFileSync(released), features, undefined, wit, world, false);
} catch (error) {
  fail(`the world can't be expressed in JavaScript: ${error.message ?? error}`);
}
writeFileSync(join(engine, 'engine.wasm'), spliced.wasm);
writeFileSync(join(engine, 'initializer.js'), spliced.jsBindings);
const environment = variables(spliced);
writeFileSync(join(engine, 'stubbed.wasm'), stubbed());
writeFileSync(join(engine, 'environment.json'), JSON.stringify(environment, null, 1));

// No module exports what the world wants yet: it is the compiling that counts.
mkdirSync(cache);
writeFileSync('/tmp/empty.js', '');
const out = '/tmp/initialised.wasm';
const { stderr } = await initialise({ engine, environment, cache, folder: '/tmp', module: 'empty.js', out });
if (tidy(cache) !== 1) fail(`wizer left no compiled engine in its cache:\n${stderr}`);

/** The engine with stubs. A stub of a clock that is off always says the same: the time it was made at. */
function stubbed() {
  Date.now = () => Number(process.env.SOURCE_DATE_EPOCH) * 1000;
  return stubWasi(spliced.wasm, features, undefined, wit, world);
}

/** What the engine is told about the world, as componentize-js tells it. */
function variables({ exports, imports }) {
  const told = {
    DEBUG: '',
    FEATURE_CLOCKS: features.includes('clocks') ? '1' : '',
    EXPORT_CNT: `${exports.length}`,
    IMPORT_CNT: `${imports.length}`,
  };
  for (const [index, [name, { paramptr, params, retptr, ret, retsize }]] of exports.entries()) {
    told[`EXPORT${index}_NAME`] = name;
    told[`EXPORT${index}_ARGS`] = (paramptr ? '*' : '') + params.join(',');
    told[`EXPORT${index}_RET`] = (retptr ? '*' : '') + (ret || '');
    told[`EXPORT${index}_RETSIZE`] = `${retsize}`;
  }
  for (const [index, [, name, count]] of imports.entries()) {
    told[`IMPORT${index}_NAME`] = name;
    told[`IMPORT${index}_ARGCNT`] = `${count}`;
  }
  return told;
}

/**
 * Copies WIT. The engine was built with a part of WASI 0.2.10 that is still behind a gate; a world of the same
 * version is merged with the engine's and has to have that part as well.
 */
function copyOpened(from, to) {
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const path = join(entry.parentPath, entry.name);
    const copy = join(to, relative(from, path));
    const text = readFileSync(path, 'utf8');
    mkdirSync(dirname(copy), { recursive: true });
    const same = /^package wasi:sockets@0\.2\.10;/m.test(text);
    writeFileSync(copy, same ? text.replaceAll(/@unstable\(feature *= *network-error-code\)/g, '') : text);
  }
}

/** Removes what a cache keeps about its use; returns how many compiled modules are left. */
function tidy(folder) {
  let modules = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const own = entry.name.startsWith('.') || entry.name.endsWith('.stats');
    if (own) rmSync(join(entry.parentPath, entry.name));
    else modules += 1;
  }
  return modules;
}
