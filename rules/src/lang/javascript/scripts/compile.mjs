// Runs a bundle in the prepared engine and leaves the result, a core module, in /out/core.wasm:
// `node compile.mjs MODULE`.
//
// What componentize-js does after it has prepared the engine. It puts the stubs in at the very end, which takes as
// long as all the rest; here they are in a second engine, and the state is put into that.

import { readFileSync, writeFileSync } from 'node:fs';
import { fail, initialise, sections } from './tools.mjs';

const [module] = process.argv.slice(2);
const engine = '/engine';
const folder = '/bundle';
const out = '/tmp/initialised.wasm';

const environment = JSON.parse(readFileSync(`${engine}/environment.json`, 'utf8'));
const wizer = await initialise({ engine, environment, cache: '/cache', folder, module, out });
if (wizer.error) throw wizer.error;
if (wizer.status !== 0) fail(explained(wizer.stderr));
process.stderr.write(wizer.stderr);

const initialised = readFileSync(out);
await check(initialised);
const [before, stubbed] = ['engine', 'stubbed'].map((name) => readFileSync(`${engine}/${name}.wasm`));
writeFileSync('/out/core.wasm', withState(stubbed, before, initialised));

/** The stubbed engine, with what wizer changed in the engine from `before` to `after`. */
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
  if (exports.check_init() !== 0) fail(located(said.trim()) || 'the module lacks exports of the world');
}

/** What the engine said, without wizer's account of its own stack. */
function explained(text) {
  const end = text.indexOf('\nError: the `componentize.wizer` function trapped');
  return located((end < 0 ? text : text.slice(0, end)).trim());
}

/** Drops places in the engine, and adds to each one in the bundle the file that this part was made of. */
function located(text) {
  const lines = readFileSync(`${folder}/${module}`, 'utf8').split('\n');
  const own = text.replaceAll(/\/engine\/initializer\.js(?::\d+)* ?/g, '');
  const place = new RegExp(`(${RegExp.escape(module)}):(\\d+):\\d+`, 'g');
  return own.replaceAll(place, (all, _, line) => {
    // esbuild heads each part of a bundle with a comment that names its file.
    const heads = lines.slice(0, Number(line)).filter((line) => /^\/\/ \S+\.\w+$/.test(line));
    const file = heads.at(-1)?.slice(3);
    return file ? `${all} (bundled from ${file})` : all;
  });
}
