// Declares the types of a world: `node types.mjs WORLD ENTRY IMPORT…`.
//
// Leaves in /out/types the declarations that jco makes of the WIT, world.d.ts, which refers to them, and
// fits-world.ts, which does not type-check unless the module ENTRY fits the world.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fail, typegen } from './tools.mjs';

const [world, entry, ...imports] = process.argv.slice(2);

let files;
try {
  const { generateGuestTypes } = await typegen();
  files = await generateGuestTypes('/wit', { worldName: world, name: 'component' });
} catch (error) {
  fail(`the world can't be expressed in TypeScript: ${error.message ?? error}`);
}
const texts = Object.entries(files).map(([name, bytes]) => [name, new TextDecoder().decode(bytes)]);
texts.push(['world.d.ts', ambient(texts)], ['fits-world.ts', fits(texts)]);
for (const [name, text] of texts) {
  const path = join('/out/types', name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Refers to all declarations, and declares what jco leaves out: functions that the world imports itself. */
function ambient(texts) {
  const declared = (name) => texts.some(([, text]) => text.includes(`declare module '${name}' {`));
  const references = texts.map(([name]) => `/// <reference path="./${name}" />\n`);
  const rest = imports.filter((name) => !declared(name)).map((name) => `declare module '${name}';\n`);
  return references.join('') + rest.join('');
}

/** The exports of the world, each under every name by which a module may export it. */
function fits(texts) {
  const [, text] = texts.find(([name]) => name === 'component.d.ts');
  const [, own] = text.match(/^declare module '([^']+)' \{/m);
  const wanted = new Map();
  for (const [, alias, name] of text.matchAll(/^ {2}export \* as (\w+) from '([^']+)'; \/\/ export /gm)) {
    const [, declaration] = texts.find(([, text]) => text.includes(`declare module '${name}' {`)) ?? [];
    // A class of the module's own need not be disposable, as the declared one is.
    if (!declaration || /^ {2}export class /m.test(declaration)) continue;
    wanted.set(alias, `typeof import('${name}')`).set(name, `typeof import('${name}')`);
  }
  for (const [, name] of text.matchAll(/^ {2}export function (\w+)\(/gm)) {
    wanted.set(name, `typeof import('${own}').${name}`);
  }
  const members = [...wanted].map(([name, type]) => `  '${name}'?: ${type};\n`);
  return `// What the component exports has to have the types that its WIT world asks for.
import * as component from '${entry}';
interface World {
${members.join('')}}
({ ...component }) satisfies World;
`;
}
