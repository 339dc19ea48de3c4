/** Why: the rows of a live ledger are written as values, which needs no file and is there at once. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import { rowsOf } from '../projection/rows-of.ts';
import { type TableName, textOf } from '../projection/tables.ts';
import type { StoredEntry } from '../ports.ts';
import type { ResolveName } from '../trace/lineage.ts';
import { appendCells, type RowCells, rowCells } from './duckdb-cells.ts';
import { INSERT_ROWS_MAX, PlannedInserts } from './duckdb-inserts.ts';

/** Entries, and rows, that are written in one go; a batch may hold more. */
const SLICE_ENTRIES = 200;
const SLICE_ROWS = 2_000;

/** Writes on one connection, which stays the caller's to close. */
export class LiveRows implements Disposable {
  readonly #connection: DuckDBConnection;
  readonly #inserts: PlannedInserts;

  constructor(connection: DuckDBConnection) {
    this.#connection = connection;
    this.#inserts = new PlannedInserts(connection);
  }

  /** Writes the rows of consecutive entries; returns what they name. */
  async append(entries: readonly StoredEntry[], resolve: ResolveName): Promise<ReadonlyMap<string, string>> {
    const names = new Map<string, string>();
    const tables = new Map<TableName, RowCells[]>();
    for (const [index, entry] of entries.entries()) {
      // Questions are answered between the slices of a large batch.
      if (index % SLICE_ENTRIES === SLICE_ENTRIES - 1) await nextTurn();
      for (const row of rowsOf(entry, (name) => names.get(name) ?? resolve(name))) {
        if (row.table === 'names') names.set(textOf(row.values['name']), textOf(row.values['node']));
        const rows = tables.get(row.table) ?? [];
        tables.set(row.table, rows);
        rows.push(rowCells(row, entry.sequence));
      }
    }
    for (const [table, rows] of tables) {
      if (rows.length <= INSERT_ROWS_MAX) await this.#inserts.insert(table, rows);
      else await this.#appendMany(table, rows);
    }
    return names;
  }

  [Symbol.dispose](): void {
    this.#inserts[Symbol.dispose]();
  }

  async #appendMany(table: TableName, rows: readonly RowCells[]): Promise<void> {
    const appender = await this.#connection.createAppender(table);
    try {
      for (const [index, cells] of rows.entries()) {
        if (index % SLICE_ROWS === SLICE_ROWS - 1) await nextTurn();
        appendCells(appender, table, cells);
      }
    } finally {
      appender.closeSync();
    }
  }
}
