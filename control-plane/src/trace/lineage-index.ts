/**
 * Why: an answer of the lineage follows thousands of edges in several rounds, and each round costs DuckDB more than the
 * whole answer may. The edges of a ledger that only grows fit into memory: here they lie in columns, with a list of edges
 * at both ends of each id. What nodes are called stays in DuckDB; here stands only which entries speak of them.
 * Mutates as rows are added; nothing that was answered as of an entry changes by that.
 */
import { FleetError } from '@fleetloop/schemas';
import { GrowingColumn, NONE } from './growing-column.ts';
import { type BestIds, mayFit, rankOf } from './id-match.ts';
import { type Span, IdTable } from './id-table.ts';
import { compareText, type EdgeEnd, type EdgesFound, type TraceEdge } from './lineage-graph.ts';
import { RowLists } from './row-lists.ts';

/** The largest sequence that a column holds. */
const SEQUENCE_MAX = NONE - 1;

type Cut = { readonly asOf: number; readonly limit: number };
/** That an entry speaks of an id. */
export type Statement = { readonly id: string; readonly sequence: number };

export class LineageIndex {
  readonly #ids = new IdTable();
  readonly #relations = new IdTable();
  readonly #edges = {
    sequence: new GrowingColumn(),
    from: new GrowingColumn(),
    relation: new GrowingColumn(),
    to: new GrowingColumn(),
  } as const;
  readonly #statements = new GrowingColumn();
  readonly #ends = { from: new RowLists(this.#edges.sequence), to: new RowLists(this.#edges.sequence) } as const;
  readonly #stated = new RowLists(this.#statements);

  get edgeCount(): number {
    return this.#edges.sequence.length;
  }

  get idCount(): number {
    return this.#ids.length;
  }

  get sizeBytes(): number {
    const parts = [this.#ids, this.#relations, ...Object.values(this.#edges), this.#statements];
    return [...parts, ...Object.values(this.#ends), this.#stated].reduce((sum, part) => sum + part.sizeBytes, 0);
  }

  /** @throws FleetError INTERNAL_UNEXPECTED when an id or the sequence is larger than the index can hold */
  addEdge(sequence: number, edge: { readonly from: Span; readonly relation: Span; readonly to: Span }): void {
    checkSequence(sequence);
    const [from, to] = [this.#ids.add(edge.from), this.#ids.add(edge.to)];
    this.#edges.relation.push(this.#relations.add(edge.relation));
    this.#edges.sequence.push(sequence);
    this.#edges.from.push(from);
    this.#edges.to.push(to);
    this.#ends.from.add(from);
    this.#ends.to.add(to);
  }

  /** @throws FleetError INTERNAL_UNEXPECTED when the id or the sequence is larger than the index can hold */
  addStatement(sequence: number, id: Span): void {
    checkSequence(sequence);
    const number = this.#ids.add(id);
    this.#statements.push(sequence);
    this.#stated.add(number);
  }

  /** The first `limit` edges at one end of the ids, each once. */
  edgesOf(ids: readonly string[], end: EdgeEnd, cut: Cut): EdgesFound {
    const rows: number[] = [];
    const wanted = { asOf: cut.asOf, limit: cut.limit + 1 };
    for (const id of ids) {
      const number = this.#ids.find(id);
      if (number !== undefined) this.#ends[end].collect(number, wanted, rows);
    }
    const texts = new TextsOf(this.#ids);
    rows.sort((left, right) => this.#compareEdges(left, right, texts));
    return { edges: this.#distinct(rows.slice(0, cut.limit), texts), truncated: rows.length > cut.limit };
  }

  /** The first `limit` statements about the ids. */
  statementsOf(ids: readonly string[], cut: Cut): readonly Statement[] {
    const found: Statement[] = [];
    for (const id of ids) {
      const number = this.#ids.find(id);
      if (number === undefined) continue;
      const rows: number[] = [];
      this.#stated.collect(number, cut, rows);
      for (const row of rows) found.push({ id, sequence: this.#statements.at(row) });
    }
    found.sort((left, right) => left.sequence - right.sequence || compareText(left.id, right.id));
    return found.slice(0, cut.limit);
  }

  isStated(id: string, asOf: number): boolean {
    const number = this.#ids.find(id);
    return number !== undefined && this.#stated.has(number, asOf);
  }

  isMentioned(id: string, asOf: number): boolean {
    const number = this.#ids.find(id);
    return number !== undefined && this.#ends.to.has(number, asOf);
  }

  /** Offers those of the ids `from` up to `to` that a text fits. */
  offerLike(
    text: string,
    range: { readonly from: number; readonly to: number; readonly asOf: number },
    best: BestIds,
  ): void {
    const bytes = Buffer.from(text, 'utf8');
    const to = Math.min(range.to, this.#ids.length);
    for (let number = range.from; number < to; number += 1) {
      if (!mayFit(this.#ids.span(number), bytes) || !this.#isThere(number, range.asOf)) continue;
      const id = this.#ids.text(number);
      const rank = rankOf(id, text);
      if (rank !== undefined) best.offer(id, rank);
    }
  }

  #isThere(number: number, asOf: number): boolean {
    return this.#stated.has(number, asOf) || this.#ends.to.has(number, asOf);
  }

  #compareEdges(left: number, right: number, texts: TextsOf): number {
    const { sequence, from, relation, to } = this.#edges;
    return (
      sequence.at(left) - sequence.at(right) ||
      texts.compare(from.at(left), from.at(right)) ||
      compareText(this.#relations.text(relation.at(left)), this.#relations.text(relation.at(right))) ||
      texts.compare(to.at(left), to.at(right))
    );
  }

  /** The same edge may be stated again: the first fact that does counts. */
  #distinct(rows: readonly number[], texts: TextsOf): TraceEdge[] {
    const edges = new Map<string, TraceEdge>();
    for (const row of rows) {
      const [from, relation, to] = [this.#edges.from.at(row), this.#edges.relation.at(row), this.#edges.to.at(row)];
      const key = `${from} ${relation} ${to}`;
      if (edges.has(key)) continue;
      edges.set(key, {
        from: texts.of(from),
        relation: this.#relations.text(relation),
        to: texts.of(to),
        sequence: this.#edges.sequence.at(row),
      });
    }
    return [...edges.values()];
  }
}

/** The texts of ids, each read once for one answer. */
class TextsOf {
  readonly #ids: IdTable;
  readonly #texts = new Map<number, string>();

  constructor(ids: IdTable) {
    this.#ids = ids;
  }

  of(number: number): string {
    const known = this.#texts.get(number);
    if (known !== undefined) return known;
    const text = this.#ids.text(number);
    this.#texts.set(number, text);
    return text;
  }

  compare(left: number, right: number): number {
    return left === right ? 0 : compareText(this.of(left), this.of(right));
  }
}

function checkSequence(sequence: number): void {
  if (sequence > SEQUENCE_MAX)
    throw new FleetError('INTERNAL_UNEXPECTED', `entry ${sequence} is over ${SEQUENCE_MAX}, the last of the index`);
}
