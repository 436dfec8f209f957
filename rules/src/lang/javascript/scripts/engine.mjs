// Prepares the JavaScript engine for a world: `node engine.mjs WORLD FEATURES IMPORT…`, where the features are joined
// by commas and the imports are the names of those of the world.
//
// Leaves in /out/engine the engine with the world's functions knitted in, and the same with stubs in the place of
// what the features need that are off; in /out/cache the engine compiled for this machine. All of it depends on the
// WIT alone, and is most of what making a component takes.

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

// No module exports what the world wants yet: it is the compiling that counts.
mkdirSync(cache);
writeFileSync('/tmp/empty.js', '');
const out = '/tmp/initialised.wasm';
const { stderr } = await initialise({ engine, environment, cache, folder: '/tmp', module: 'empty.js', out });
if (tidy(cache) !== 1) fail(`wizer left no compiled engine in its cache:\n${stderr}`);

/**
 * The engine with stubs in the place of what it can't have. A stub of a clock always says the same: the time it was
 * made at.
 *
 * componentize-js takes an import for one of the engine's by its name. The world's imports may have the same name, or
 * that of another version, so what stays is called otherwise meanwhile, and the rest is stubbed as if every feature
 * were off.
 */
function stubbed() {
  Date.now = () => Number(process.env.SOURCE_DATE_EPOCH) * 1000;
  const mark = 'stays:';
  const own = new Set(spliced.imports.map(([module, name]) => `${module} ${name}`));
  const marked = renamed(spliced.wasm, ({ module, name }) =>
    own.has(`${module} ${name}`) || serves(module, name) ? mark + module : module,
  );
  // Where there are random numbers, their stub would not find what it stands for.
  const on = features.filter((feature) => feature === 'random');
  const stubs = Buffer.from(stubWasi(marked, on, undefined, wit, world));
  const result = renamed(stubs, ({ module }) => (module.startsWith(mark) ? module.slice(mark.length) : module));
  const left = new Set(imports(result).map(({ module, name }) => `${module} ${name}`));
  const lost = [...own].filter((name) => !left.has(name));
  if (lost.length > 0) throw new Error(`the engine lost imports of the world: ${lost.join(', ')}`);
  return result;
}

/** Whether an import of the engine's own serves a feature that is on. */
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

/** Why a world can't be had. The splicer ends with a trap at types that it does not know. */
function explained(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return error.message ?? error;
  return 'the engine has no streams, futures and other types of WASI 0.3';
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
