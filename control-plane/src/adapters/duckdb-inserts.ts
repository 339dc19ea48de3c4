/**
 * Why: of a few rows, planning their INSERT takes longer than writing them, so that it is planned once for all rows of one shape. A
 * cell without a value belongs to the shape: as a parameter it would be of another type, and the statement planned anew.
 */
import type { DuckDBConnection, DuckDBPreparedStatement } from '@duckdb/node-api';
import { columnsOf, type TableName } from '../projection/tables.ts';
import { bindCells, type RowCells } from './duckdb-cells.ts';

/** Rows of one statement; more are worth an appender. */
export const INSERT_ROWS_MAX = 4;
/** Statements that are kept; the one that was used least lately goes. */
export const STATEMENTS_MAX = 256;

export class PlannedInserts implements Disposable {
  readonly #connection: DuckDBConnection;
  readonly #statements = new Map<string, DuckDBPreparedStatement>();

  constructor(connection: DuckDBConnection) {
    this.#connection = connection;
  }

  /** Writes at most INSERT_ROWS_MAX rows of one table. */
  async insert(table: TableName, rows: readonly RowCells[]): Promise<void> {
    const statement = await this.#statementFor(`INSERT INTO "${table}" VALUES ${valuesText(table, rows)}`);
    let bound = 0;
    for (const cells of rows) bound = bindCells(statement, table, { cells, bound });
    await statement.run();
  }

  [Symbol.dispose](): void {
    for (const statement of this.#statements.values()) statement.destroySync();
    this.#statements.clear();
  }

  async #statementFor(sql: string): Promise<DuckDBPreparedStatement> {
    const statement = this.#statements.get(sql) ?? (await this.#connection.prepare(sql));
    this.#statements.delete(sql);
    this.#statements.set(sql, statement);
    if (this.#statements.size > STATEMENTS_MAX) this.#dropOldest();
    return statement;
  }

  #dropOldest(): void {
    for (const [sql, statement] of this.#statements) {
      this.#statements.delete(sql);
      statement.destroySync();
      return;
    }
  }
}

/** `($1, NULL, $2), …`: what rows look like, without what they say. */
function valuesText(table: TableName, rows: readonly RowCells[]): string {
  let parameters = 0;
  const rowText = (cells: RowCells): string =>
    `(${columnsOf(table)
      .map((_, index) => (cells[index] === null ? 'NULL' : `$${(parameters += 1)}`))
      .join(', ')})`;
  return rows.map(rowText).join(', ');
}
