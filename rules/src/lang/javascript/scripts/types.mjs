// Declares the types of a world: `node types.mjs WORLD ENTRY IMPORT…`.
//
// Leaves in /out/types the declarations that jco makes of the WIT, world.d.ts, which refers to them, and
// fits-world.ts, which does not type-check unless the module ENTRY fits the world.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fail, typegen } from './tools.mjs';

const [world, entry, ...imports] = process.argv.slice(2);

const texts = await generated('/wit', world);
const [, component] = texts.find(([name]) => name === 'component.d.ts');
const exported = [...component.matchAll(/^ {2}export \* as (\w+) from '([^']+)'; \/\/ export /gm)];
for (const name of imports) await complete(name, 'import');
for (const [, , name] of exported) await complete(name, 'export');
texts.push(['world.d.ts', ambient()], ['fits-world.ts', fits()]);
for (const [name, text] of texts) {
  const path = join('/out/types', name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Returns the declarations of a world, as the name and the text of each file. */
async function generated(wit, worldName) {
  try {
    const { generateGuestTypes } = await typegen();
    const files = await generateGuestTypes(wit, { worldName, name: 'component' });
    return Object.entries(files).map(([name, bytes]) => [name, new TextDecoder().decode(bytes)]);
  } catch (error) {
    fail(`the world can't be expressed in TypeScript: ${error.message ?? error}`);
  }
}

/**
 * Adds the declarations of an interface, if there are none. jco gives the file of an interface the same name in all of
 * its versions, so it writes only one of several. The others are generated from a world of their own.
 */
async function complete(name, direction) {
  if (isDeclared(name) || !name.includes(':')) return;
  const wit = mkdtempSync('/tmp/wit-');
  cpSync('/wit', wit, { recursive: true });
  // This file belongs to the same WIT package as the others.
  writeFileSync(join(wit, 'run-declares.wit'), `${header()}\nworld run-declares { ${direction} ${name}; }\n`);
  for (const [file, text] of await generated(wit, 'run-declares')) {
    const [, declared] = text.match(/^declare module '([^']+)' \{/m) ?? [];
    if (file === 'component.d.ts' || !declared || isDeclared(declared)) continue;
    const others = texts.filter(([other]) => other.endsWith(file)).length;
    texts.push([others ? `${others}/${file}` : file, text.replace(/^\/\/\/ <reference .*\n/gm, '')]);
  }
}

function header() {
  const files = readdirSync('/wit', { withFileTypes: true }).filter((file) => file.isFile());
  const found = files.map(({ name }) => /^\s*package\s+[^;{]+;/m.exec(readFileSync(join('/wit', name), 'utf8')));
  return found.find(Boolean)?.[0] ?? '';
}

function isDeclared(name) {
  return texts.some(([, text]) => text.includes(`declare module '${name}' {`));
}

/** Refers to all declarations, and declares functions that the world imports directly, which jco leaves out. */
function ambient() {
  const references = texts.map(([name]) => `/// <reference path="./${name}" />\n`);
  const rest = imports.filter((name) => !isDeclared(name)).map((name) => `declare module '${name}';\n`);
  return references.join('') + rest.join('');
}

/** Returns a program that type-checks only if ENTRY fits the world, under each name that an export may have. */
function fits() {
  const [, own] = component.match(/^declare module '([^']+)' \{/m);
  const wanted = new Map();
  const want = (name, type) => wanted.set(name, [...(wanted.get(name) ?? []), `Fits<${type}>`]);
  for (const [, alias, name] of exported) {
    const [, declaration] = texts.find(([, text]) => text.includes(`declare module '${name}' {`)) ?? [];
    // Interfaces with a class are left out: the declared class is disposable, and the module's own need not be.
    if (!declaration || /^ {2}export class /m.test(declaration)) continue;
    want(alias, `typeof import('${name}')`);
    want(name, `typeof import('${name}')`);
  }
  for (const [, name] of component.matchAll(/^ {2}export function (\w+)\(/gm)) {
    want(name, `typeof import('${own}').${name}`);
  }
  // Two versions of an interface have the same short name, so an export of that name has to fit both.
  const wants = [...wanted].map(
    ([name, types]) =>
      `({ ...component }) satisfies { '${name}'?: ${types.join(' & ')}; [other: string]: unknown };\n`,
  );
  return `// What the component exports has to have the types that its WIT world asks for.
import * as component from '${entry}';
export { component };
/** A function may be asynchronous: what it promises is waited for. */
export type Fits<T> = T extends (...parameters: infer P) => infer R
  ? (...parameters: P) => R | Promise<R>
  : { [Name in keyof T]: T[Name] extends (...parameters: never) => unknown ? Fits<T[Name]> : T[Name] };
${wants.join('')}`;
}
