/** Splits a text file into lines while it streams in, holding no more than one line and one piece. */
import { FleetError } from '../errors/fleet-error.ts';

export type TextLine = { readonly line: number; readonly text: string };

/** Longest line, characters; a file without line ends must not fill the memory. */
export const TEXT_LINE_LENGTH_MAX = 4_096;

/**
 * Gives the lines of each piece, numbered from 1, without their line ends. Bytes are taken as Latin-1: a broken byte then shows up in the line
 * that has it.
 * @throws FleetError `SOURCE_LIMIT` with the line
 */
export async function* readTextLines(
  pieces: AsyncIterable<Uint8Array>,
  fileName: string,
): AsyncGenerator<readonly TextLine[], void, undefined> {
  const decoder = new TextDecoder('latin1');
  let rest = '';
  let line = 1;
  const refuseLength = (length: number): void => {
    if (length <= TEXT_LINE_LENGTH_MAX) return;
    throw new FleetError(
      'SOURCE_LIMIT',
      `${fileName}, line ${line}: the line is longer than ${TEXT_LINE_LENGTH_MAX} characters`,
      { details: { file: fileName, line } },
    );
  };
  for await (const piece of pieces) {
    const parts = `${rest}${decoder.decode(piece)}`.split('\n');
    rest = parts.pop() ?? '';
    const lines: TextLine[] = [];
    for (const part of parts) {
      refuseLength(part.length);
      lines.push({ line, text: part.endsWith('\r') ? part.slice(0, -1) : part });
      line += 1;
    }
    yield lines;
    refuseLength(rest.length);
  }
  if (rest !== '') yield [{ line, text: rest }];
}
