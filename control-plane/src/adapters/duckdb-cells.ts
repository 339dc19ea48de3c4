/** Why: how the cells of a row become values of DuckDB, the same for whichever statement writes them. */
import type { DuckDBAppender, DuckDBPreparedStatement } from '@duckdb/node-api';
import {
  type Cell,
  columnsOf,
  type ColumnType,
  jsonTextOf,
  type TableName,
  type TableRow,
  textOf,
} from '../projection/tables.ts';

type CellValue = string | bigint | number | boolean | null;
/** The values of one row in the order of the columns, its sequence first. */
export type RowCells = readonly CellValue[];

export function rowCells({ table, values }: TableRow, sequence: number): RowCells {
  const [, ...columns] = columnsOf(table);
  return [BigInt(sequence), ...columns.map(([name, type]) => cellValue(type, values[name] ?? null))];
}

export function appendCells(appender: DuckDBAppender, table: TableName, cells: RowCells): void {
  for (const [index, [, type]] of columnsOf(table).entries()) {
    const value = cells[index] ?? null;
    if (value === null) appender.appendNull();
    else if (type === 'text' || type === 'json') appender.appendVarchar(value as string);
    else if (type === 'integer') appender.appendBigInt(value as bigint);
    else if (type === 'real') appender.appendDouble(value as number);
    else appender.appendBoolean(value as boolean);
  }
  appender.endRow();
}

/** Binds all cells but those without a value, for which the statement has no parameter; returns the last one bound. */
export function bindCells(
  statement: DuckDBPreparedStatement,
  table: TableName,
  { cells, bound }: { readonly cells: RowCells; readonly bound: number },
): number {
  let parameter = bound;
  for (const [index, [, type]] of columnsOf(table).entries()) {
    const value = cells[index] ?? null;
    if (value === null) continue;
    parameter += 1;
    if (type === 'text' || type === 'json') statement.bindVarchar(parameter, value as string);
    else if (type === 'integer') statement.bindBigInt(parameter, value as bigint);
    else if (type === 'real') statement.bindDouble(parameter, value as number);
    else statement.bindBoolean(parameter, value as boolean);
  }
  return parameter;
}

function cellValue(type: ColumnType, cell: Cell): CellValue {
  if (cell === null) return null;
  if (type === 'text') return textOf(cell);
  if (type === 'json') return jsonTextOf(cell);
  if (type === 'integer') return BigInt(cell as number | bigint);
  return type === 'real' ? Number(cell) : cell === true;
}
