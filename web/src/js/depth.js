// Texts that are nested too deeply for the editor's parser, whose stack grows with each level: it
// would throw, and what was pasted would be lost. The engine refuses such a text by itself, with its
// place.

// The engine takes half as many.
const LIMIT = 200;

/** Whether lines of YAML may be nested deeper than the editor should parse. */
export function isDeep(lines) {
  let open = 0;
  for (const line of lines) {
    if (line.startsWith('---')) open = 0;
    // Spaces, and dashes one behind the other.
    if (/^[ \t?:-]*/.exec(line)[0].length > LIMIT) return true;
    for (const c of line) {
      if (c === '[' || c === '{') open += 1;
      else if (c === ']' || c === '}') open = Math.max(0, open - 1);
      if (open > LIMIT) return true;
    }
  }
  return false;
}
