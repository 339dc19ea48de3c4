/** Why: the lineage read from the tables of the projection; slower than the index, and right whatever its size. */
import { LOSS_SUFFIX } from '@fleetloop/schemas';
import { graphRows } from './graph-rows.ts';
import {
  type EdgeEnd,
  type EdgesFound,
  type GraphSource,
  type IdsLike,
  inOrder,
  type LineageGraph,
  type NodeRow,
  nodeRowOf,
  type TraceEdge,
} from './lineage-graph.ts';
import type { Row } from '../ports.ts';

/** Rows about ids whose number does not matter, only that there are some. */
const ROWS_LOOKED_AT_MAX = 80_000;

export class ProjectionGraph implements LineageGraph {
  readonly #source: GraphSource;
  readonly #asOf: number;

  constructor(source: GraphSource, asOf: number) {
    this.#source = source;
    this.#asOf = asOf;
  }

  async edgesOf(ids: readonly string[], end: EdgeEnd, limit: number): Promise<EdgesFound> {
    const rows = await graphRows(this.#source, ids, {
      table: 'edges',
      column: end === 'from' ? 'from_id' : 'to_id',
      columns: 'from_id, relation, to_id, sequence',
      order: 'from_id, relation, to_id',
      asOf: this.#asOf,
      limit: limit + 1,
    });
    const edges = new Map<string, TraceEdge>();
    for (const edge of rows.slice(0, limit).map(edgeOf).toSorted(inOrder)) {
      // The same edge may be stated again: the first fact that does counts.
      const key = `${edge.from} ${edge.relation} ${edge.to}`;
      if (!edges.has(key)) edges.set(key, edge);
    }
    return { edges: [...edges.values()], truncated: rows.length > limit };
  }

  async nodesOf(ids: readonly string[], limit: number): Promise<readonly NodeRow[]> {
    const columns = 'id, kind, label, sequence, "at", detail';
    return (await this.#nodeRows(ids, columns, limit)).map(nodeRowOf);
  }

  async stated(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return idsIn(await this.#nodeRows(ids, 'id, sequence', ROWS_LOOKED_AT_MAX));
  }

  async mentioned(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await graphRows(this.#source, ids, {
      table: 'edges',
      column: 'to_id',
      columns: 'to_id AS id, sequence',
      order: 'to_id',
      asOf: this.#asOf,
      limit: ROWS_LOOKED_AT_MAX,
    });
    return idsIn(rows);
  }

  /** As `rankOf` says it, in SQL: it reads all ids that there are. */
  async idsLike(text: string, limit: number): Promise<IdsLike> {
    const rows = await this.#source.query(
      `WITH known AS (
         SELECT id, regexp_replace(id, '^[a-z-]+:', '') AS rest FROM (
           SELECT id FROM nodes WHERE sequence <= $asOf::BIGINT UNION SELECT to_id FROM edges WHERE sequence <= $asOf::BIGINT
         )
       ), found AS (
         SELECT id, CASE
           WHEN id = $text THEN 0
           WHEN rest = $text OR rest = 'sha256:' || $text THEN 1
           WHEN starts_with(id, 'lost-recording:') AND starts_with(split_part(rest, '/', 2), $text)
             AND regexp_full_match(substr(split_part(rest, '/', 2), length($text) + 1), $suffix) THEN 1
           WHEN starts_with(id, $text) THEN 2
           WHEN starts_with(id, 'label:') THEN NULL
           WHEN starts_with(rest, $text) OR starts_with(rest, 'sha256:' || $text) THEN 2
         END AS rank FROM known
       )
       SELECT id, rank FROM found WHERE rank = (SELECT min(rank) FROM found) ORDER BY id LIMIT ${limit}`,
      { text, suffix: LOSS_SUFFIX, asOf: String(this.#asOf) },
    );
    return { rank: Number(rows[0]?.['rank'] ?? Number.POSITIVE_INFINITY), ids: rows.map((row) => String(row['id'])) };
  }

  async #nodeRows(ids: readonly string[], columns: string, limit: number): Promise<readonly Row[]> {
    const question = { table: 'nodes', column: 'id', order: 'id', asOf: this.#asOf } as const;
    return graphRows(this.#source, ids, { ...question, columns, limit });
  }
}

function idsIn(rows: readonly Row[]): ReadonlySet<string> {
  return new Set(rows.map((row) => String(row['id'])));
}

function edgeOf(row: Row): TraceEdge {
  return {
    from: String(row['from_id']),
    relation: String(row['relation']),
    to: String(row['to_id']),
    sequence: Number(row['sequence']),
  };
}
