// Runs a bundle in the prepared engine and leaves the result, a core module, in /out/core.wasm:
// `node compile.mjs MODULE OFF…`. Each OFF is a feature that is switched off, with the imports that it would need in
// the world: `random=wasi:random/random@0.2.4`.
//
// This is the part of componentize-js that follows after the engine is prepared. componentize-js puts the stubs in at
// the very end, which takes as long as all the rest. Here the stubs are in a second engine, into which the state is put.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readable } from './regular.mjs';
import { fail, initialise, sections } from './tools.mjs';
import { examine } from './uses.mjs';

const [module, ...off] = process.argv.slice(2);
const engine = '/engine';
const folder = '/tmp/bundle';
const out = '/tmp/initialised.wasm';

const text = readFileSync(`/bundle/${module}`, 'utf8');
const { uses, listens, patterns } = await examine(text).catch(unexamined);
mkdirSync(folder);
writeFileSync(`${folder}/${module}`, readable(text, patterns));
warn();

const environment = JSON.parse(readFileSync(`${engine}/environment.json`, 'utf8'));
const wizer = await initialise({ engine, environment, cache: '/cache', folder, module, out });
if (wizer.error) throw wizer.error;
if (wizer.status !== 0) failed(explained(wizer.stderr));
process.stderr.write(wizer.stderr);

const initialised = readFileSync(out);
await check(initialised);
const [before, stubbed] = ['engine', 'stubbed'].map((name) => readFileSync(`${engine}/${name}.wasm`));
writeFileSync('/out/core.wasm', withState(stubbed, before, initialised));

/** Goes on without the uses if the module can't be parsed here or is nested too deeply: the engine may read it. */
function unexamined(error) {
  if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
  console.error(`warning: ${module} was not searched for what its world lacks: ${error.message}`);
  return { uses: [], listens: false, patterns: [] };
}

/** Warns of features that the module uses and for which the world lacks imports. */
function warn() {
  const effects = {
    clocks: 'the time never changes, and timers fail',
    random: 'the numbers are the same in each run',
    stdio: 'nothing is written',
    http: 'each call fails',
  };
  for (const [feature, imports] of off.map((one) => one.split('='))) {
    const places = new Map();
    for (const { name, line } of uses.filter((use) => use.feature === feature)) {
      const file = bundledFrom(line) ?? module;
      // That packages log something is not a mistake of the project.
      if (feature === 'stdio' && file.startsWith('../node_modules/')) continue;
      places.set(file, (places.get(file) ?? new Set()).add(`\`${name}\``));
    }
    if (places.size === 0) continue;
    const [[file, names]] = places;
    const others = places.size > 1 ? ` (and ${places.size - 1} more)` : '';
    const lines = imports.split(',').map((name) => `\`import ${name};\``);
    console.error(
      `warning: ${file}${others} uses ${[...names].join(', ')}, for which the world lacks an import: ` +
        `${effects[feature]}; add to the world: ${lines.join(' ')}`,
    );
  }
}

/** Ends the program with the engine's message, and adds an explanation that the engine can't give. */
function failed(said) {
  const listening = '`addEventListener("fetch", …)` is not what makes a component serve requests';
  fail(listens && said.includes('"incomingHandler"') ? `${said}\n${listening}` : said);
}

/** Returns the stubbed engine with the sections that wizer changed in the engine from `before` to `after`. */
function withState(stubbed, before, after) {
  const [memory, exports, data, count] = [5, 7, 11, 12];
  const state = new Map();
  const old = new Map(sections(before).map(({ id, bytes }) => [id, bytes]));
  for (const { id, bytes } of sections(after)) {
    if ([memory, exports, data, count].includes(id)) state.set(id, bytes);
    else if (id && !bytes.equals(old.get(id))) throw new Error(`wizer changed section ${id} of the engine`);
  }
  const kept = sections(stubbed).map(({ id, bytes }) => state.get(id) ?? bytes);
  return Buffer.concat([stubbed.subarray(0, 8), ...kept]);
}

/** Asks the initialised engine whether it found the world's exports in the module. */
async function check(bytes) {
  const compiled = await WebAssembly.compile(bytes);
  let memory;
  let said = '';
  const unexpected = () => {
    throw new Error('the engine did more than look at the exports');
  };
  const write = (descriptor, vectors, count, written) => {
    const view = new DataView(memory.buffer);
    let total = 0;
    for (let index = 0; index < count; index += 1) {
      const pointer = view.getUint32(vectors + index * 8, true);
      const length = view.getUint32(vectors + index * 8 + 4, true);
      said += new TextDecoder().decode(new Uint8Array(memory.buffer, pointer, length));
      total += length;
    }
    view.setUint32(written, total, true);
    return 0;
  };
  const imports = {};
  for (const { module, name } of WebAssembly.Module.imports(compiled)) {
    imports[module] ??= {};
    imports[module][name] = name === 'fd_write' ? write : unexpected;
  }
  const { exports } = await WebAssembly.instantiate(compiled, imports);
  memory = exports.memory;
  if (exports.check_init() !== 0) failed(located(said.trim()) || 'the module lacks exports of the world');
}

/** Returns the engine's message without the stack trace of wizer itself. */
function explained(text) {
  if (text.includes('You cannot call arbitrary imported functions during Wizer initialization')) {
    const early = uses.filter((use) => use.early).map(({ name, line }) => `\`${name}\` in ${bundledFrom(line) ?? module}`);
    const such = early.length > 0 ? `, such as ${[...new Set(early)].join(', ')}` : '';
    return `the top level calls what is there only when the component runs${such}`;
  }
  const end = text.indexOf('\nError: the `componentize.wizer` function trapped');
  return located((end < 0 ? text : text.slice(0, end)).trim());
}

/** Removes places in the engine from a message, and adds to each place in the bundle the source file of that part. */
function located(said) {
  const own = said.replaceAll(/\/engine\/initializer\.js(?::\d+)* ?/g, '');
  const place = new RegExp(`(${RegExp.escape(module)}):(\\d+):\\d+`, 'g');
  return own.replaceAll(place, (all, _, line) => {
    const file = bundledFrom(Number(line));
    return file ? `${all} (bundled from ${file})` : all;
  });
}

/** Returns the source file of a line of the bundle. esbuild begins each part with a comment that names its file. */
function bundledFrom(line) {
  const above = text.split('\n').slice(0, line);
  return above.filter((line) => /^\/\/ \S+\.\w+$/.test(line)).at(-1)?.slice(3);
}
