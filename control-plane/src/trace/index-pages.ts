/**
 * Why: a million rows as JavaScript objects keep the event loop busy for seconds. Here DuckDB writes the rows of a page
 * into one block of bytes, lengths first, and the index takes the ids out of it as they lie there.
 */
import { FleetError } from '@fleetloop/schemas';
import type { Row } from '../ports.ts';
import type { Span } from './id-table.ts';
import type { GraphSource } from './lineage-graph.ts';
import type { LineageIndex } from './lineage-index.ts';

/** Rows of one page: some milliseconds of the event loop. */
const PAGE_ROWS = 5_000;
const SPACE = 0x20;
const DIGIT_ZERO = 0x30;

/** The last row of each table that is in the index, by the row ids of DuckDB: -1 before the first. */
export type RowsRead = { readonly edges: number; readonly nodes: number };
export const NO_ROWS: RowsRead = { edges: -1, nodes: -1 };

type Table = keyof RowsRead;
const COLUMNS: Readonly<Record<Table, readonly string[]>> = { edges: ['from_id', 'relation', 'to_id'], nodes: ['id'] };

/** The last rows that there are. Rows are never deleted, so that one transaction adds them behind all others. */
export async function lastRows(source: GraphSource): Promise<RowsRead> {
  const [row] = await source.query(
    'SELECT (SELECT max(rowid) FROM edges) AS edges, (SELECT max(rowid) FROM nodes) AS nodes',
  );
  return { edges: Number(row?.['edges'] ?? NO_ROWS.edges), nodes: Number(row?.['nodes'] ?? NO_ROWS.nodes) };
}

/** Reads the next page of a table, up to row `last`. */
export async function readPage(
  source: GraphSource,
  { table, after, last }: { readonly table: Table; readonly after: number; readonly last: number },
): Promise<{ readonly bytes: Uint8Array; readonly after: number }> {
  const columns = COLUMNS[table];
  const to = Math.min(after + PAGE_ROWS, last);
  const lengths = columns.map((column) => `strlen(${column}), ' '`).join(', ');
  const [row] = await source.query(
    `SELECT encode(string_agg(concat(sequence, ' ', ${lengths}, ${columns.join(', ')}), '' ORDER BY row)) AS page
     FROM (SELECT rowid AS row, * FROM ${table} WHERE rowid > $after::BIGINT AND rowid <= $to::BIGINT)`,
    { after: String(after), to: String(to) },
  );
  return { bytes: bytesOf(row), after: to };
}

/** @throws FleetError INTERNAL_UNEXPECTED when a row is larger than the index can hold */
export function addPage(index: LineageIndex, table: Table, bytes: Uint8Array): void {
  const page = new Page(bytes);
  while (!page.isAtEnd()) {
    const sequence = page.number();
    if (table === 'nodes') {
      index.addStatement(sequence, page.text(page.number()));
      continue;
    }
    const lengths = { from: page.number(), relation: page.number(), to: page.number() };
    index.addEdge(sequence, {
      from: page.text(lengths.from),
      relation: page.text(lengths.relation),
      to: page.text(lengths.to),
    });
  }
}

/** Reads from front to back. */
class Page {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Decimal digits up to a space. */
  number(): number {
    let value = 0;
    for (;;) {
      const byte = this.#bytes[this.#at] ?? SPACE;
      this.#at += 1;
      if (byte === SPACE) return value;
      value = value * 10 + byte - DIGIT_ZERO;
    }
  }

  text(length: number): Span {
    const from = this.#at;
    this.#at += length;
    return { bytes: this.#bytes, from, to: this.#at };
  }
}

/** A page of rows that never were, because their transaction was rolled back, is empty. */
function bytesOf(row: Row | undefined): Uint8Array {
  const page = row?.['page'] ?? new Uint8Array();
  if (page instanceof Uint8Array) return page;
  throw new FleetError('INTERNAL_UNEXPECTED', 'DuckDB gave a page of the lineage that is not bytes');
}
