// Reads the imports of a WebAssembly module, and renames the modules that they come from.

import { sections, unsigned } from './tools.mjs';

const IMPORTS = 2;
const FUNCTION = 0;

/** Returns the imports of a module, each as `{ module, name }`, in their order. */
export function imports(bytes) {
  const section = sections(bytes).find(({ id }) => id === IMPORTS);
  return section ? entries(section.bytes) : [];
}

/** Returns the module with other sources of imports: `rename` gets an import and returns the module it comes from. */
export function renamed(bytes, rename) {
  const parts = sections(bytes).map((section) => {
    if (section.id !== IMPORTS) return section.bytes;
    const found = entries(section.bytes);
    const texts = found.flatMap((entry) => [text(rename(entry)), text(entry.name), entry.description]);
    const body = Buffer.concat([number(found.length), ...texts]);
    return Buffer.concat([Buffer.of(IMPORTS), number(body.length), body]);
  });
  return Buffer.concat([bytes.subarray(0, 8), ...parts]);
}

/** Reads the import section: https://webassembly.github.io/spec/core/binary/modules.html#import-section */
function entries(section) {
  let at = 1;
  const decoder = new TextDecoder();
  const read = () => {
    const [value, after] = unsigned(section, at);
    at = after;
    return value;
  };
  const readText = () => {
    const length = read();
    at += length;
    return decoder.decode(section.subarray(at - length, at));
  };
  read();
  return Array.from({ length: read() }, () => {
    const [module, name] = [readText(), readText()];
    const start = at;
    if (section[at++] !== FUNCTION) throw new Error(`the engine imports ${module} ${name}, which is no function`);
    read();
    return { module, name, description: section.subarray(start, at) };
  });
}

function text(value) {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([number(bytes.length), bytes]);
}

function number(value) {
  const bytes = [];
  do {
    const rest = Math.floor(value / 0x80);
    bytes.push((value % 0x80) + (rest > 0 ? 0x80 : 0));
    value = rest;
  } while (value > 0);
  return Buffer.from(bytes);
}
