/** Why: the few rows of a live ledger are written cell by cell, which needs no file and is there at once. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DuckDBAppender, DuckDBConnection } from '@duckdb/node-api';
import { rowsOf } from '../projection/rows-of.ts';
import {
  type Cell,
  columnsOf,
  type ColumnType,
  jsonTextOf,
  type TableName,
  type TableRow,
  textOf,
} from '../projection/tables.ts';
import type { StoredEntry } from '../ports.ts';
import type { ResolveName } from '../trace/lineage.ts';

/** Entries that are written in one go; a batch may hold more. */
const SLICE_ENTRIES = 200;

/** Writes the rows of consecutive entries; returns what they name. */
export async function appendEntries(
  connection: DuckDBConnection,
  entries: readonly StoredEntry[],
  resolve: ResolveName,
): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  const appenders = new Map<TableName, DuckDBAppender>();
  try {
    for (const [index, entry] of entries.entries()) {
      // Questions are answered between the slices of a large batch.
      if (index % SLICE_ENTRIES === SLICE_ENTRIES - 1) await nextTurn();
      for (const row of rowsOf(entry, (name) => names.get(name) ?? resolve(name))) {
        if (row.table === 'names') names.set(textOf(row.values['name']), textOf(row.values['node']));
        const appender = appenders.get(row.table) ?? (await connection.createAppender(row.table));
        appenders.set(row.table, appender);
        appendRow(appender, row, entry.sequence);
      }
    }
  } finally {
    for (const appender of appenders.values()) appender.closeSync();
  }
  return names;
}

function appendRow(appender: DuckDBAppender, { table, values }: TableRow, sequence: number): void {
  appender.appendBigInt(BigInt(sequence));
  for (const [name, type] of columnsOf(table).slice(1)) appendCell(appender, type, values[name] ?? null);
  appender.endRow();
}

function appendCell(appender: DuckDBAppender, type: ColumnType, cell: Cell): void {
  if (cell === null) appender.appendNull();
  else if (type === 'text') appender.appendVarchar(textOf(cell));
  else if (type === 'json') appender.appendVarchar(jsonTextOf(cell));
  else if (type === 'integer') appender.appendBigInt(BigInt(cell as number | bigint));
  else if (type === 'real') appender.appendDouble(Number(cell));
  else appender.appendBoolean(cell === true);
}
