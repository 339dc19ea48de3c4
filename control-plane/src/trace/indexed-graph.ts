/** Why: the lineage read from the index; DuckDB is asked only for what the facts say about the nodes of an answer. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FleetError } from '@fleetloop/schemas';
import { BestIds } from './id-match.ts';
import type { EdgeEnd, EdgesFound, GraphSource, IdsLike, LineageGraph, NodeRow } from './lineage-graph.ts';
import type { LineageIndex, Statement } from './lineage-index.ts';

/** Ids that are held against a text before others get their turn. */
const IDS_PER_TURN = 50_000;
/** Rows of one question, all in one text of some megabytes. */
const ROWS_PER_QUESTION = 10_000;

/**
 * Rows as one JSON text: as values of their own, DuckDB's binding takes longer to hand them over than DuckDB to find them.
 * The join is by number first; `id` keeps out what the same entry says about other nodes.
 */
const ROWS_AS_JSON = `
  SELECT concat('[', string_agg(concat('[', sequence, ',', to_json(id), ',', to_json(kind), ',', to_json(label), ',', to_json("at"), ',', detail, ']'), ',' ORDER BY sequence, id), ']') AS page
  FROM nodes SEMI JOIN (
    SELECT unnest(from_json($sequences, '["BIGINT"]')) AS sequence, unnest(from_json($ids, '["VARCHAR"]')) AS id
  ) USING (sequence, id)`;

export class IndexedGraph implements LineageGraph {
  readonly #index: LineageIndex;
  readonly #source: GraphSource;
  readonly #asOf: number;

  constructor(index: LineageIndex, source: GraphSource, asOf: number) {
    this.#index = index;
    this.#source = source;
    this.#asOf = asOf;
  }

  async edgesOf(ids: readonly string[], end: EdgeEnd, limit: number): Promise<EdgesFound> {
    return this.#index.edgesOf(ids, end, { asOf: this.#asOf, limit });
  }

  async nodesOf(ids: readonly string[], limit: number): Promise<readonly NodeRow[]> {
    const statements = this.#index.statementsOf(ids, { asOf: this.#asOf, limit });
    const rows: NodeRow[] = [];
    for (let from = 0; from < statements.length; from += ROWS_PER_QUESTION)
      for (const row of await this.#rowsOf(statements.slice(from, from + ROWS_PER_QUESTION))) rows.push(row);
    // An entry may say two things of one node: both rows answer to one statement.
    return rows.slice(0, limit);
  }

  async stated(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set(ids.filter((id) => this.#index.isStated(id, this.#asOf)));
  }

  async mentioned(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set(ids.filter((id) => this.#index.isMentioned(id, this.#asOf)));
  }

  async idsLike(text: string, limit: number): Promise<IdsLike> {
    const best = new BestIds(limit);
    for (let from = 0; from < this.#index.idCount; from += IDS_PER_TURN) {
      this.#index.offerLike(text, { from, to: from + IDS_PER_TURN, asOf: this.#asOf }, best);
      await nextTurn();
    }
    return best.found();
  }

  async #rowsOf(statements: readonly Statement[]): Promise<readonly NodeRow[]> {
    const [row] = await this.#source.query(ROWS_AS_JSON, {
      sequences: JSON.stringify(statements.map(({ sequence }) => sequence)),
      ids: JSON.stringify(statements.map(({ id }) => id)),
    });
    const page = row?.['page'];
    if (typeof page !== 'string') throw new FleetError('INTERNAL_UNEXPECTED', 'DuckDB gave no page of nodes');
    return (JSON.parse(page) as readonly JsonRow[]).map(([sequence, id, kind, label, at, detail]) => ({
      id,
      kind,
      label,
      sequence,
      at,
      detail,
    }));
  }
}

type JsonRow = readonly [number, string, string, string, string, NodeRow['detail']];
