/** Why: the tables of the projection have no index: one scan finds the rows of all ids that a step of a walk asks about. */
import type { Row } from '../ports.ts';
import type { GraphSource } from './lineage-graph.ts';

export type GraphQuestion = {
  readonly table: 'edges' | 'nodes';
  readonly column: 'from_id' | 'to_id' | 'id';
  readonly columns: string;
  /** Columns, among those asked for, that order the rows of one entry. */
  readonly order: string;
  readonly asOf: number;
  /** Most rows, the earliest. */
  readonly limit: number;
};

/** The rows whose column is one of the ids, as of a sequence, in the order of their entries and then of `order`. */
export async function graphRows(
  source: GraphSource,
  ids: readonly string[],
  { table, column, columns, order, asOf, limit }: GraphQuestion,
): Promise<readonly Row[]> {
  return source.query(
    `SELECT ${columns} FROM ${table}
     WHERE sequence <= $asOf::BIGINT AND ${column} IN (SELECT unnest(from_json($ids, '["VARCHAR"]'))) ORDER BY sequence, ${order} LIMIT ${limit}`,
    { asOf: String(asOf), ids: JSON.stringify(ids) },
  );
}
