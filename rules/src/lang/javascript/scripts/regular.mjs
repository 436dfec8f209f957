// Rewrites regular expressions with properties of Unicode characters (`\p{Letter}`), as the engine has no tables for
// them. Each property is replaced by the characters that have it. Only patterns that are written out can be rewritten.

import { rewriter } from './tools.mjs';

/** Returns the text, in which the patterns that the engine can't read are rewritten. No line is added or removed. */
export function readable(text, patterns) {
  let result = text;
  const unreadable = patterns.filter(({ pattern, flags }) => /[uv]/.test(flags) && /\\p/i.test(pattern));
  // Goes from the end to the start, so that the offsets of the patterns still to come stay right.
  for (const { start, end, pattern, flags, literal } of unreadable.toSorted((a, b) => b.start - a.start)) {
    const written = rewritten(pattern, flags);
    if (written === undefined) continue;
    const both = [written, flags.replace('v', 'u')];
    const expression = literal ? `/${both.join('/')}` : `new RegExp(${both.map((part) => JSON.stringify(part)).join(', ')})`;
    result = result.slice(0, start) + expression + result.slice(end);
  }
  return result;
}

/** Returns the pattern without properties. Undefined if it is malformed: the engine reports that with its place. */
function rewritten(pattern, flags) {
  const options = { unicodePropertyEscapes: 'transform', unicodeSetsFlag: flags.includes('v') ? 'transform' : false };
  try {
    return rewriter()(pattern, flags, options);
  } catch {
    return undefined;
  }
}
