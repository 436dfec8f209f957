// What a bundle uses of the web's functions, and which of its regular expressions the engine can't read.
//
// Works on the syntax tree, as names such as `fetch` may be the bundle's own. A name counts as declared in all of the
// function that declares it: then a use may be missed, but none is made up.

import { parser } from './tools.mjs';

/** What the engine builds on WASI, by the feature that it belongs to. */
const FEATURES = {
  clocks: ['Date.now', 'performance.now', 'setTimeout', 'setInterval', 'AbortSignal.timeout'],
  random: ['Math.random', 'crypto.getRandomValues', 'crypto.randomUUID', 'crypto.subtle.generateKey'],
  http: ['fetch'],
};
/** Objects that count as a whole: all that `console` has, and `crypto` where it is handed on. */
const OBJECTS = { console: 'stdio', crypto: 'random' };
const BY_NAME = new Map(Object.entries(FEATURES).flatMap(([feature, names]) => names.map((name) => [name, feature])));
const GLOBALS = ['globalThis', 'self'];

/**
 * What a module has: `uses`, each as `{ feature, name, line }`; whether it `listens` for requests as a service worker
 * does; and its `patterns`, each regular expression that is written out, as `{ start, end, pattern, flags, literal }`.
 */
export async function examine(text) {
  const { parse } = await parser();
  const program = parse(text, { ecmaVersion: 'latest', sourceType: 'module', locations: true });
  const found = { uses: [], listens: false, patterns: [] };
  visit(program, { names: declared(program.body), above: null }, found);
  return found;
}

function visit(node, scope, found) {
  const inner = isFunction(node) ? { names: ofFunction(node), above: scope } : scope;
  look(node, inner, found);
  for (const child of references(node, inner)) visit(child, inner, found);
}

function look(node, scope, found) {
  const use = (name) => {
    for (const { feature, known } of featuresOf(name)) found.uses.push({ feature, name: known, line: node.loc.start.line });
  };
  const isDate = node.callee && globalName(node.callee, scope) === 'Date';
  switch (node.type) {
    case 'Identifier':
    case 'MemberExpression':
      use(globalName(node, scope));
      break;
    case 'VariableDeclarator':
      if (node.id.type === 'ObjectPattern' && node.init) parts(node, scope).forEach(use);
      break;
    case 'NewExpression':
      if (isDate && node.arguments.length === 0) use('Date.now');
      regularExpression(node, scope, found);
      break;
    case 'CallExpression':
      if (isDate) use('Date.now');
      if (globalName(node.callee, scope) === 'addEventListener' && node.arguments[0]?.value === 'fetch') {
        found.listens = true;
      }
      regularExpression(node, scope, found);
      break;
    case 'Literal':
      if (node.regex) found.patterns.push({ ...node.regex, start: node.start, end: node.end, literal: true });
      break;
  }
}

/** What a global name uses: `Math.random` of `Math.random.call`, `console.log` of `console.log`. */
function featuresOf(name) {
  if (name === undefined) return [];
  const words = name.split('.');
  const object = OBJECTS[words[0]];
  if (object && (words.length === 1 || object === 'stdio')) return [{ feature: object, known: words.slice(0, 2).join('.') }];
  const starts = words.map((_, index) => words.slice(0, index + 1).join('.'));
  return starts.filter((known) => BY_NAME.has(known)).map((known) => ({ feature: BY_NAME.get(known), known }));
}

/** The global names of what `const { random } = Math` takes. */
function parts({ id, init }, scope) {
  const object = globalName(init, scope);
  if (object === undefined) return [];
  const names = id.properties.filter(({ key, computed }) => key?.type === 'Identifier' && !computed);
  return names.map(({ key }) => (GLOBALS.includes(object) ? key.name : `${object}.${key.name}`));
}

/** `RegExp("…", "…")`, where both are written out. */
function regularExpression({ callee, arguments: given, start, end }, scope, found) {
  if (globalName(callee, scope) !== 'RegExp') return;
  const [pattern, flags] = given.map((argument) => (argument.type === 'Literal' ? argument.value : undefined));
  if (given.length === 2 && typeof pattern === 'string' && typeof flags === 'string') {
    found.patterns.push({ pattern, flags, start, end, literal: false });
  }
}

/** `fetch`, `Date.now` and `globalThis.Date.now` as the name of what they are; undefined for anything else. */
function globalName(node, scope) {
  if (node.type === 'Identifier') {
    for (let at = scope; at; at = at.above) if (at.names.has(node.name)) return undefined;
    return node.name;
  }
  if (node.type === 'ChainExpression') return globalName(node.expression, scope);
  if (node.type !== 'MemberExpression') return undefined;
  const name = node.computed ? node.property.value : node.property.name;
  const object = globalName(node.object, scope);
  if (object === undefined || typeof name !== 'string') return undefined;
  return GLOBALS.includes(object) ? name : `${object}.${name}`;
}

/** The parts of a node in which names refer to something. */
function references(node, scope) {
  // Whether something is there may be asked.
  if (node.type === 'UnaryExpression' && node.operator === 'typeof') return [];
  // What `console.log` uses is known; its `console` is no other use.
  if (node.type === 'MemberExpression' && globalName(node, scope) !== undefined) return [];
  const skipped = new Set(['label', 'meta', 'local', 'exported', 'imported']);
  if (!node.computed && node.type === 'MemberExpression') skipped.add('property');
  if (!node.computed && ['Property', 'MethodDefinition', 'PropertyDefinition'].includes(node.type)) skipped.add('key');
  return children(node, skipped);
}

/** The nodes in a node; this is where most of the time goes. */
function children(node, skipped) {
  const found = [];
  for (const key in node) {
    const value = node[key];
    if (value === null || typeof value !== 'object' || skipped?.has(key)) continue;
    for (const one of Array.isArray(value) ? value : [value]) {
      if (typeof one?.type === 'string') found.push(one);
    }
  }
  return found;
}

function isFunction({ type }) {
  return ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'].includes(type);
}

function ofFunction({ id, params, body }) {
  const names = declared([body]);
  if (id) names.add(id.name);
  params.forEach((param) => bind(param, names));
  return names;
}

/** The names that statements declare, those in functions inside of them left out. */
function declared(nodes, names = new Set()) {
  for (const node of nodes) {
    if (isFunction(node) || node.type === 'ClassDeclaration') {
      if (node.id && node.type !== 'FunctionExpression') names.add(node.id.name);
      if (isFunction(node)) continue;
    }
    if (node.type === 'VariableDeclarator') bind(node.id, names);
    if (node.type === 'CatchClause' && node.param) bind(node.param, names);
    if (node.type.startsWith('Import') && node.local) names.add(node.local.name);
    declared(children(node), names);
  }
  return names;
}

function bind(pattern, names) {
  switch (pattern?.type) {
    case 'Identifier':
      names.add(pattern.name);
      break;
    case 'ObjectPattern':
      pattern.properties.forEach((property) => bind(property.value ?? property.argument, names));
      break;
    case 'ArrayPattern':
      pattern.elements.forEach((element) => bind(element, names));
      break;
    case 'AssignmentPattern':
      bind(pattern.left, names);
      break;
    case 'RestElement':
      bind(pattern.argument, names);
      break;
  }
}
