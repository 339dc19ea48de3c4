/** Why: a walk asks the same few questions whether the edges lie in DuckDB or in memory, and must get the same answers. */
import type { Projection, Row } from '../ports.ts';

/** Points down, whatever the direction of the walk. */
export type TraceEdge = {
  readonly from: string;
  readonly relation: string;
  readonly to: string;
  /** The first ledger entry that states it; null when none does. */
  readonly sequence: number | null;
};
/** `from`: edges that lead down from the ids; `to`: those that lead down to them. */
export type EdgeEnd = 'from' | 'to';
/** What one fact says about one node. */
export type NodeRow = {
  readonly id: string;
  readonly kind: string;
  readonly label: string;
  readonly sequence: number;
  readonly at: string;
  readonly detail: Readonly<Record<string, unknown>>;
};
export type EdgesFound = {
  /** Each once, in the order of `inOrder`. */
  readonly edges: readonly TraceEdge[];
  /** There are more than are looked at. */
  readonly truncated: boolean;
};

/** The ids that a text fits best. */
export type IdsLike = {
  /** As `rankOf` gives it; infinite when there are none. */
  readonly rank: number;
  /** The first ones by their text. */
  readonly ids: readonly string[];
};

/** The lineage as it was at one ledger entry. */
export interface LineageGraph {
  /** The first `limit` statements of edges at one end of the ids. */
  edgesOf(ids: readonly string[], end: EdgeEnd, limit: number): Promise<EdgesFound>;
  /** The first `limit` rows about the ids, in the order of their entries. */
  nodesOf(ids: readonly string[], limit: number): Promise<readonly NodeRow[]>;
  /** Those of the ids that a fact is about. */
  stated(ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Those of the ids that an edge leads down to. */
  mentioned(ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** The first `limit` ids, stated or mentioned, that a text fits best. */
  idsLike(text: string, limit: number): Promise<IdsLike>;
}

/** Gives the graph as of an entry that the projection has applied. */
export type GraphAsOf = (sequence: number) => Promise<LineageGraph>;

/** What the graph is read from; a projection, or one that is served from a file. */
export type GraphSource = Pick<Projection, 'query' | 'appliedSequence'>;

/** Earlier entries first; of one entry by the ids at both ends. */
export function inOrder(left: TraceEdge, right: TraceEdge): number {
  return (
    (left.sequence ?? 0) - (right.sequence ?? 0) ||
    compareText(left.from, right.from) ||
    compareText(left.relation, right.relation) ||
    compareText(left.to, right.to)
  );
}

export function nodeRowOf(row: Row): NodeRow {
  return {
    id: String(row['id']),
    kind: String(row['kind']),
    label: String(row['label']),
    sequence: Number(row['sequence']),
    at: String(row['at']),
    detail: JSON.parse(String(row['detail'])) as Readonly<Record<string, unknown>>,
  };
}

export function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
