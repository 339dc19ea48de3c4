/**
 * Why: DuckDB uses an index only where a column is held against a list of constants and nothing else is asked, so a walk
 * over a million edges asks for the rows of a few dozen ids at a time and cuts them off at its sequence itself.
 */
import type { Projection, Row } from '../ports.ts';

/** Ids of one question; over about a hundred DuckDB turns the list into a join, which reads the whole table. */
const IDS_PER_QUESTION = 48;
/** Questions that are asked side by side. */
const QUESTIONS_AT_ONCE = 4;
/** Of so many ids, reading the whole table once is sooner done. */
const INDEXED_IDS_MAX = 1_024;
/** Rows of one question; a node with more neighbours is asked for again, in order and cut off. */
const INDEXED_ROWS_MAX = 20_000;

export type GraphQuestion = {
  readonly table: 'edges' | 'nodes';
  readonly column: 'from_id' | 'to_id' | 'id';
  readonly columns: string;
  readonly asOf: number;
  /** Most rows, the earliest. */
  readonly limit: number;
};

/** The rows whose column is one of the ids, as of a sequence, in the order of their entries. */
export async function graphRows(
  projection: Projection,
  ids: readonly string[],
  question: GraphQuestion,
): Promise<readonly Row[]> {
  const rows =
    ids.length > INDEXED_IDS_MAX ? await scan(projection, ids, question) : await lookUp(projection, ids, question);
  return rows.slice(0, question.limit);
}

async function lookUp(
  projection: Projection,
  ids: readonly string[],
  question: GraphQuestion,
): Promise<readonly Row[]> {
  const parts = Array.from({ length: Math.ceil(ids.length / IDS_PER_QUESTION) }, (_, index) =>
    ids.slice(index * IDS_PER_QUESTION, (index + 1) * IDS_PER_QUESTION),
  );
  const rows: Row[] = [];
  for (let from = 0; from < parts.length; from += QUESTIONS_AT_ONCE) {
    const some = parts.slice(from, from + QUESTIONS_AT_ONCE);
    rows.push(...(await Promise.all(some.map(async (part) => lookUpFew(projection, part, question)))).flat());
  }
  return rows.sort((left, right) => sequenceOf(left) - sequenceOf(right));
}

async function lookUpFew(
  projection: Projection,
  ids: readonly string[],
  question: GraphQuestion,
): Promise<readonly Row[]> {
  const { table, column, columns, asOf } = question;
  const names = ids.map((_, index) => `$id${index}`).join(', ');
  const found = await projection.query(
    `SELECT ${columns} FROM ${table} WHERE ${column} IN (${names}) LIMIT ${INDEXED_ROWS_MAX + 1}`,
    Object.fromEntries(ids.map((id, index) => [`id${index}`, id])),
  );
  if (found.length > INDEXED_ROWS_MAX) return scan(projection, ids, question);
  return found.filter((row) => sequenceOf(row) <= asOf);
}

async function scan(
  projection: Projection,
  ids: readonly string[],
  { table, column, columns, asOf, limit }: GraphQuestion,
): Promise<readonly Row[]> {
  return projection.query(
    `SELECT ${columns} FROM ${table}
     WHERE sequence <= $asOf::BIGINT AND ${column} IN (SELECT unnest(from_json($ids, '["VARCHAR"]'))) ORDER BY sequence LIMIT ${limit}`,
    { asOf: String(asOf), ids: JSON.stringify(ids) },
  );
}

function sequenceOf(row: Row): number {
  return Number(row['sequence']);
}
