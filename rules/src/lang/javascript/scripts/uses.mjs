// Finds the functions of the web that a bundle uses, and its regular expressions.
//
// It works on the syntax tree, because names such as `fetch` may be declared by the bundle itself. A name counts as
// declared in all of the function that declares it. So a use may be missed, but no use is reported that is none.

import { parser } from './tools.mjs';

/** The functions that the engine builds on WASI, by the feature that they belong to. */
const FEATURES = {
  clocks: ['Date.now', 'performance.now', 'setTimeout', 'setInterval', 'AbortSignal.timeout'],
  random: ['Math.random', 'crypto.getRandomValues', 'crypto.randomUUID', 'crypto.subtle.generateKey'],
  http: ['fetch'],
};
/** The feature of an object that counts as a whole: any use of `console`, and `crypto` if it is passed on. */
const OBJECTS = { console: 'stdio', crypto: 'random' };
const BY_NAME = new Map(Object.entries(FEATURES).flatMap(([feature, names]) => names.map((name) => [name, feature])));
const GLOBALS = ['globalThis', 'self'];

/**
 * Returns what a module has:
 * - `uses`, each as `{ feature, name, line, early }`, where `early` is true outside of functions;
 * - `listens`, which is true if it listens for requests as a service worker does;
 * - `patterns`, the regular expressions that are written out, each as `{ start, end, pattern, flags, literal }`.
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
    const place = { line: node.loc.start.line, early: scope.above === null };
    for (const { feature, known } of featuresOf(name)) found.uses.push({ feature, name: known, ...place });
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

/** Returns the features that a global name uses. `Math.random.call`, for example, uses `Math.random`. */
function featuresOf(name) {
  if (name === undefined) return [];
  const words = name.split('.');
  const object = OBJECTS[words[0]];
  if (object && (words.length === 1 || object === 'stdio')) return [{ feature: object, known: words.slice(0, 2).join('.') }];
  const starts = words.map((_, index) => words.slice(0, index + 1).join('.'));
  return starts.filter((known) => BY_NAME.has(known)).map((known) => ({ feature: BY_NAME.get(known), known }));
}

/** Returns the global names that a declaration such as `const { random } = Math` reads. */
function parts({ id, init }, scope) {
  const object = globalName(init, scope);
  if (object === undefined) return [];
  const names = id.properties.filter(({ key, computed }) => key?.type === 'Identifier' && !computed);
  return names.map(({ key }) => (GLOBALS.includes(object) ? key.name : `${object}.${key.name}`));
}

/** Notes a call of `RegExp("…", "…")` whose pattern and flags are both written out. */
function regularExpression({ callee, arguments: given, start, end }, scope, found) {
  if (globalName(callee, scope) !== 'RegExp') return;
  const [pattern, flags] = given.map((argument) => (argument.type === 'Literal' ? argument.value : undefined));
  if (given.length === 2 && typeof pattern === 'string' && typeof flags === 'string') {
    found.patterns.push({ pattern, flags, start, end, literal: false });
  }
}

/** Returns the global name of an expression, such as `Date.now` for `globalThis.Date.now`; undefined if it has none. */
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

/** Returns the parts of a node in which names refer to something. */
function references(node, scope) {
  // `typeof` only asks if something exists, which is not a use of it.
  if (node.type === 'UnaryExpression' && node.operator === 'typeof') return [];
  // The use of `console.log` is noted already; `console` in it is not another use.
  if (node.type === 'MemberExpression' && globalName(node, scope) !== undefined) return [];
  const skipped = new Set(['label', 'meta', 'local', 'exported', 'imported']);
  if (!node.computed && node.type === 'MemberExpression') skipped.add('property');
  if (!node.computed && ['Property', 'MethodDefinition', 'PropertyDefinition'].includes(node.type)) skipped.add('key');
  return children(node, skipped);
}

/** Returns the nodes in a node. Most of the time is spent here. */
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

/** Returns the names that statements declare, without those inside of functions in them. */
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
