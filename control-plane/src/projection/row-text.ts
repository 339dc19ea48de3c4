/**
 * Why: a replay writes millions of cells, and handing each one to DuckDB costs more than everything else together. Rows
 * become text here, in a form of CSV whose delimiters JSON never holds, and DuckDB reads whole tables of it by itself.
 */
import type { StoredEntry } from '../ports.ts';
import type { ResolveName } from '../trace/lineage.ts';
import { rowsOf } from './rows-of.ts';
import {
  type Cell,
  columnsOf,
  type ColumnType,
  jsonTextOf,
  SQL_TYPES,
  type TableName,
  type TableRow,
  textOf,
} from './tables.ts';

/** The unit separator and the start of text of ASCII: JSON text has none, and hardly any other text has. */
const DELIMITER = '\x1f';
const QUOTE = '\x02';
const LINE_BREAK = '\n';
const CONTROL = /\p{Cc}/u;
const BACKSLASH = 0x5c;
/** A UTF-16 code unit becomes at most so many bytes of UTF-8. */
const BYTES_PER_UNIT_MAX = 3;
const FIRST_BYTES = 64 * 1024;
/** Writing a few lines takes hardly longer than writing one. */
const LINES_AT_ONCE = 16;
/** Longest line, bytes: an entry is at most 512 KiB, and its row says each of its texts once or twice. */
const LINE_BYTES_MAX = 8 * 1024 * 1024;

/** The text of a batch, table by table. Mutates as entries are added. */
export class RowTexts {
  readonly #resolve: ResolveName;
  readonly #tables = new Map<TableName, TableText>();
  /** What the entries have named. */
  readonly names = new Map<string, string>();

  /** `resolve` knows the names of all entries before the first one. */
  constructor(resolve: ResolveName) {
    this.#resolve = resolve;
  }

  add(stored: StoredEntry): void {
    // An entry without an escape has no control character, nor have its rows, unless a name brings one in.
    let isPlain = !stored.bytes.includes(BACKSLASH);
    const resolve: ResolveName = (name) => {
      const node = this.names.get(name) ?? this.#resolve(name);
      if (node !== undefined && CONTROL.test(node)) isPlain = false;
      return node;
    };
    for (const row of rowsOf(stored, resolve)) {
      if (row.table === 'names') this.names.set(textOf(row.values['name']), textOf(row.values['node']));
      let table = this.#tables.get(row.table);
      if (table === undefined) this.#tables.set(row.table, (table = new TableText()));
      table.add(lineOf(row, stored.sequence, isPlain));
    }
  }

  /** The text of each table that has rows, in UTF-8. */
  *tables(): Generator<{ readonly table: TableName; readonly text: Uint8Array<ArrayBuffer> }> {
    for (const [table, text] of this.#tables) yield { table, text: text.bytes() };
  }
}

/** Lines as bytes soon: as strings they would be moved by the garbage collector until the batch is full. */
class TableText {
  #lines = '';
  #waiting = 0;
  /** Not from the pool that buffers share: it may be given to another thread. */
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #length = 0;

  add(line: string): void {
    this.#lines += line;
    this.#waiting += 1;
    if (this.#waiting === LINES_AT_ONCE) this.#write();
  }

  bytes(): Uint8Array<ArrayBuffer> {
    this.#write();
    return this.#bytes.subarray(0, this.#length);
  }

  #write(): void {
    const lengthMax = this.#length + this.#lines.length * BYTES_PER_UNIT_MAX;
    if (lengthMax > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(2 * lengthMax);
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#length += this.#bytes.write(this.#lines, this.#length, 'utf8');
    this.#lines = '';
    this.#waiting = 0;
  }
}

/** The statement that adds the rows of a file of such text to its table. */
export function loadStatement(table: TableName, path: string): string {
  const columns = columnsOf(table).map(([name, type]) => `'${name}': '${SQL_TYPES[type]}'`);
  const options = [
    'auto_detect = false',
    'header = false',
    `delim = '${DELIMITER}'`,
    `quote = '${QUOTE}'`,
    `escape = '${QUOTE}'`,
    "nullstr = ''",
    'allow_quoted_nulls = false',
    "new_line = '\\n'",
    `max_line_size = ${LINE_BYTES_MAX}`,
    `columns = {${columns.join(', ')}}`,
  ];
  return `INSERT INTO "${table}" FROM read_csv('${path.replaceAll("'", "''")}', ${options.join(', ')})`;
}

function lineOf({ table, values }: TableRow, sequence: number, isPlain: boolean): string {
  let line = String(sequence);
  const columns = columnsOf(table);
  for (let index = 1; index < columns.length; index += 1) {
    const [name, type] = columns[index] as readonly [string, ColumnType];
    line += DELIMITER;
    line += cellText(type, values[name] ?? null, isPlain);
  }
  return line + LINE_BREAK;
}

/** Nothing between two delimiters is NULL; a quoted nothing is an empty text. */
function cellText(type: ColumnType, cell: Cell, isPlain: boolean): string {
  if (cell === null) return '';
  if (type === 'text') return quoted(textOf(cell), isPlain);
  if (type === 'json') return jsonTextOf(cell);
  return String(cell as number | bigint | boolean);
}

function quoted(text: string, isPlain: boolean): string {
  if (text !== '' && (isPlain || !CONTROL.test(text))) return text;
  return QUOTE + text.replaceAll(QUOTE, QUOTE + QUOTE) + QUOTE;
}
