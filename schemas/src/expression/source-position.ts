/** Points at a character of an expression, so that whoever wrote it sees what is meant. */

/** `at line 2, character 7`, the line itself, and a caret under the character. `offset` counts from 0. */
export function pointAt(source: string, offset: number): string {
  const before = source.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  const lineEnd = source.indexOf('\n', offset);
  const line = source.slice(lineStart, lineEnd === -1 ? source.length : lineEnd);
  const lineNumber = before.split('\n').length;
  const character = offset - lineStart;
  const caret = line.slice(0, character).replaceAll(/[^\t]/g, ' ');
  return `at line ${lineNumber}, character ${character + 1}\n${line}\n${caret}^`;
}
