/** Why: a standard names signals by VSS path with `*` for any text, so that four wheels are one line. */

const compiled = new Map<string, RegExp>();
const PATTERNS_MAX = 4_096;

export function matchesPath(pattern: string, path: string): boolean {
  let expression = compiled.get(pattern);
  if (expression === undefined) {
    if (compiled.size >= PATTERNS_MAX) compiled.clear();
    const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`));
    expression = new RegExp(`^${parts.join('.*')}$`);
    compiled.set(pattern, expression);
  }
  return expression.test(path);
}
