/** Splits CSV text (RFC 4180) that arrives in pieces into rows of cells, holding no more than the row that is being read. */
import { FleetError } from '../errors/fleet-error.ts';

/** One row with the line of the file (from 1) where it starts. */
export type CsvRow = { readonly line: number; readonly cells: readonly string[] };

/** Longest row in UTF-16 units; a file without line ends must not fill the memory. */
export const CSV_ROW_LENGTH_MAX = 1024 * 1024;

/** Takes pieces of text in order and gives the rows that they complete. */
export type CsvTokenizer = {
  readonly push: (text: string) => readonly CsvRow[];
  /** The last row, when the file does not end with a line end. */
  readonly end: () => readonly CsvRow[];
};

/**
 * Makes a tokenizer for one file. A byte order mark is skipped, line ends are LF or CRLF, cells may be quoted.
 * @throws FleetError `SOURCE_ROW_INVALID` for misplaced quotes, `SOURCE_LIMIT` for a row over the maximum.
 */
export function makeCsvTokenizer(fileName: string): CsvTokenizer {
  let rest = '';
  let line = 1;
  let isFirst = true;

  const takeRows = (isEnd: boolean): readonly CsvRow[] => {
    const rows: CsvRow[] = [];
    let start = 0;
    while (start < rest.length) {
      const end = rowEnd(rest, start);
      if (end === -1 && !isEnd) break;
      const text = rest.slice(start, end === -1 ? rest.length : end);
      if (text.length > CSV_ROW_LENGTH_MAX) refuseLength(fileName, line);
      rows.push({ line, cells: splitCells(text.endsWith('\r') ? text.slice(0, -1) : text, fileName, line) });
      line += text.includes('"') ? text.split('\n').length : 1;
      start = end === -1 ? rest.length : end + 1;
    }
    rest = rest.slice(start);
    if (rest.length > CSV_ROW_LENGTH_MAX) refuseLength(fileName, line);
    return rows;
  };

  return {
    push: (text) => {
      rest += isFirst && text.startsWith('\uFEFF') ? text.slice(1) : text;
      if (text !== '') isFirst = false;
      return takeRows(false);
    },
    end: () => takeRows(true),
  };
}

/** Index of the line feed that ends the row, or -1 while it has not arrived; line feeds inside quotes do not count. */
function rowEnd(text: string, start: number): number {
  let end = text.indexOf('\n', start);
  const quote = text.indexOf('"', start);
  if (quote === -1 || (end !== -1 && end < quote)) return end;
  let isQuoted = false;
  for (end = quote; end < text.length; end += 1) {
    const code = text.charCodeAt(end);
    if (code === 0x22) isQuoted = !isQuoted;
    else if (code === 0x0a && !isQuoted) return end;
  }
  return -1;
}

function splitCells(text: string, fileName: string, line: number): readonly string[] {
  if (!text.includes('"')) return text.split(',');
  const cells: string[] = [];
  let position = 0;
  while (position <= text.length) {
    const { cell, next } = text[position] === '"' ? quotedCell(text, position) : plainCell(text, position);
    if (next === -1) {
      throw new FleetError(
        'SOURCE_ROW_INVALID',
        `${fileName}, line ${line}: a quote stands where none may be, or is never closed`,
        {
          details: { file: fileName, line },
        },
      );
    }
    cells.push(cell);
    position = next + 1;
  }
  return cells;
}

function plainCell(text: string, start: number): { cell: string; next: number } {
  const comma = text.indexOf(',', start);
  const next = comma === -1 ? text.length : comma;
  const cell = text.slice(start, next);
  return { cell, next: cell.includes('"') ? -1 : next };
}

function quotedCell(text: string, start: number): { cell: string; next: number } {
  let close = text.indexOf('"', start + 1);
  while (close !== -1 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
  if (close === -1) return { cell: '', next: -1 };
  const isEnd = close + 1 === text.length || text[close + 1] === ',';
  return { cell: text.slice(start + 1, close).replaceAll('""', '"'), next: isEnd ? close + 1 : -1 };
}

function refuseLength(fileName: string, line: number): never {
  throw new FleetError(
    'SOURCE_LIMIT',
    `${fileName}, line ${line}: the row is longer than ${CSV_ROW_LENGTH_MAX} characters`,
    {
      details: { file: fileName, line },
    },
  );
}
