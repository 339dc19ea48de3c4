/** Plain tables for the command line: aligned columns, digests cut to what tells them apart. */
const CELL_LENGTH_MAX = 48;
const DIGEST_SHOWN = 'sha256:'.length + 12;

/** Rows under a header line; numbers to the right. */
export function renderTable(rows: readonly Readonly<Record<string, unknown>>[], columns: readonly string[]): string {
  const cells = rows.map((row) => columns.map((column) => renderCell(row[column])));
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...cells.map((row) => row[index]?.length ?? 0)),
  );
  const isNumber = columns.map((column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, index) =>
        isNumber[index] === true ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [line(columns), ...cells.map(line), ...(rows.length === 0 ? ['(none)'] : [])].join('\n');
}

function renderCell(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toFixed(3);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (text.startsWith('sha256:')) return text.slice(0, DIGEST_SHOWN);
  return text.length > CELL_LENGTH_MAX ? `${text.slice(0, CELL_LENGTH_MAX - 1)}…` : text;
}
