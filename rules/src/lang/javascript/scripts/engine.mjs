// Prepares the JavaScript engine for a world: `node engine.mjs WORLD FEATURES IMPORT…`. FEATURES are the features that
// are on, joined by commas; each IMPORT is the name of an import of the world.
//
// Leaves two engines in /out/engine: one joined with the world's functions, and the same with stubs for the imports that
// only features need that are off. In /out/cache it leaves the engine compiled for this machine. All of this depends on
// the WIT alone, and takes most of the time in making a component.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { imports, renamed } from './imports.mjs';
import { fail, initialise, released, splicer } from './tools.mjs';

const [world, listed, ...worldImports] = process.argv.slice(2);
const features = listed.split(',').filter(Boolean);
const engine = '/out/engine';
const cache = '/out/cache';

const wit = join(engine, 'wit');
copyOpened('/wit', wit);

const { spliceBindings, stubWasi } = await splicer();
let spliced;
try {
  spliced = spliceBindings(readFileSync(released), features, undefined, wit, world, false);
} catch (error) {
  fail(`the world can't be expressed in JavaScript: ${explained(error)}`);
}
writeFileSync(join(engine, 'engine.wasm'), spliced.wasm);
writeFileSync(join(engine, 'initializer.js'), spliced.jsBindings);
const environment = variables(spliced);
writeFileSync(join(engine, 'stubbed.wasm'), stubbed());
writeFileSync(join(engine, 'environment.json'), JSON.stringify(environment, null, 1));

// The empty module has none of the world's exports. That does not matter here: only the compiled engine is kept.
mkdirSync(cache);
writeFileSync('/tmp/empty.js', '');
const out = '/tmp/initialised.wasm';
const { stderr } = await initialise({ engine, environment, cache, folder: '/tmp', module: 'empty.js', out });
if (tidy(cache) !== 1) fail(`wizer left no compiled engine in its cache:\n${stderr}`);

/**
 * Returns the engine with stubs in the place of imports that it can't have. A stub of a clock always returns the same
 * time: that at which it was made.
 *
 * componentize-js recognises the engine's own imports by their names. Imports of the world may have the same name, or the
 * same name with another version. So the imports that stay are renamed for the time being, and all others are stubbed as
 * if every feature were off.
 */
function stubbed() {
  Date.now = () => Number(process.env.SOURCE_DATE_EPOCH) * 1000;
  const mark = 'stays:';
  const own = new Set(spliced.imports.map(([module, name]) => `${module} ${name}`));
  const marked = renamed(spliced.wasm, ({ module, name }) =>
    own.has(`${module} ${name}`) || serves(module, name) ? mark + module : module,
  );
  // If random numbers are on, their imports are renamed, and a stub for them would find nothing to replace.
  const on = features.filter((feature) => feature === 'random');
  const stubs = Buffer.from(stubWasi(marked, on, undefined, wit, world));
  const result = renamed(stubs, ({ module }) => (module.startsWith(mark) ? module.slice(mark.length) : module));
  const left = new Set(imports(result).map(({ module, name }) => `${module} ${name}`));
  const lost = [...own].filter((name) => !left.has(name));
  if (lost.length > 0) throw new Error(`the engine lost imports of the world: ${lost.join(', ')}`);
  return result;
}

/** Returns true if an import of the engine itself serves a feature that is on. */
function serves(module, name) {
  const [service] = module.split('@');
  const on = (feature) => features.includes(feature);
  const imported = () => worldImports.some((own) => own.startsWith(`${service}@0.2.`));
  if (module === 'wasi_snapshot_preview1') {
    if (name === 'clock_time_get') return on('clocks');
    return ['fd_write', 'fd_fdstat_get'].includes(name) && on('stdio');
  }
  for (const feature of ['random', 'clocks', 'http']) {
    if (service.startsWith(`wasi:${feature}/`)) return on(feature);
  }
  return service.startsWith('wasi:io/') && (on('clocks') || on('http')) && imported();
}

/** Returns the reason for which the splicer failed. At types that it does not know, it ends with a trap. */
function explained(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return error.message ?? error;
  return 'the engine has no streams, futures and other types of WASI 0.3';
}

/** Returns the environment variables that tell the engine about the world, as componentize-js sets them. */
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
 * Copies WIT and opens a feature gate in it. The engine was built with a part of WASI 0.2.10 that is behind this gate. A
 * world of the same version is merged with the engine's, so it has to have that part as well.
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

/** Removes the statistics of a cache and returns the number of compiled modules in it. */
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
