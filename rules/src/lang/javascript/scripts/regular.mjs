// Regular expressions without properties of Unicode's characters (`\p{Letter}`), of which the engine has no tables:
// each property is written as the characters that have it. Only what is written out in the bundle can be rewritten.

import { rewriter } from './tools.mjs';

/** The text with those of its patterns rewritten that the engine can't read. No line is added or removed. */
export function readable(text, patterns) {
  let result = text;
  const unreadable = patterns.filter(({ pattern, flags }) => /[uv]/.test(flags) && /\\p/i.test(pattern));
  // From the end, so that the places before stay what they are.
  for (const { start, end, pattern, flags, literal } of unreadable.toSorted((a, b) => b.start - a.start)) {
    const written = rewritten(pattern, flags);
    if (written === undefined) continue;
    const both = [written, flags.replace('v', 'u')];
    const expression = literal ? `/${both.join('/')}` : `new RegExp(${both.map((part) => JSON.stringify(part)).join(', ')})`;
    result = result.slice(0, start) + expression + result.slice(end);
  }
  return result;
}

/** The pattern without properties; undefined if it is none: then the engine says so, with its place. */
function rewritten(pattern, flags) {
  const options = { unicodePropertyEscapes: 'transform', unicodeSetsFlag: flags.includes('v') ? 'transform' : false };
  try {
    return rewriter()(pattern, flags, options);
  } catch {
    return undefined;
  }
}
