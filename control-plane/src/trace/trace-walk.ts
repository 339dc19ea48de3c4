/** Why: one walk over the lineage, breadth first; each level is one indexed question, and there is a limit to all of it. */
import type { Projection, Row } from '../ports.ts';
import { graphRows } from './graph-rows.ts';
import { END_RELATIONS, type NodeKind, type Relation } from './lineage.ts';

/** Longest way from the start, in edges. */
export const TRACE_DEPTH_MAX = 64;
/** Most nodes of one answer; `truncated` says when there would have been more. */
export const TRACE_NODES_MAX = 5_000;

/** Rows that one level of the walk looks at; each edge may be stated by several facts. */
const EDGE_ROWS_MAX = TRACE_NODES_MAX * 4;
/** Rows about the nodes of one answer: all that facts say about them. */
const NODE_ROWS_MAX = TRACE_NODES_MAX * 16;

export type TraceNode = {
  readonly id: string;
  readonly kind: string;
  /** What the latest fact about it says. */
  readonly label: string;
  /** First ledger entry about it; null when it is only mentioned, or is telemetry. */
  readonly sequence: number | null;
  readonly at: string | null;
  /** All that the facts about it say, later ones over earlier ones. */
  readonly detail: Readonly<Record<string, unknown>>;
};

/** Points down, whatever the direction of the walk. */
export type TraceEdge = {
  readonly from: string;
  readonly relation: string;
  readonly to: string;
  readonly sequence: number | null;
};

/** Breadth first over the edges that were known as of one sequence. Mutates as it goes. */
export class TraceWalk {
  readonly #projection: Projection;
  readonly #asOf: number;
  readonly #ids = new Set<string>();
  readonly #edges = new Map<string, TraceEdge>();
  readonly #given = new Map<string, TraceNode>();
  truncated = false;

  constructor(projection: Projection, asOf: number) {
    this.#projection = projection;
    this.#asOf = asOf;
  }

  get asOf(): number {
    return this.#asOf;
  }

  idsOf(kind: NodeKind): string[] {
    return [...this.#ids].filter((id) => id.startsWith(`${kind}:`));
  }

  edges(): TraceEdge[] {
    return [...this.#edges.values()];
  }

  /** False when there is no room for another node. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return true;
    if (this.#ids.size >= TRACE_NODES_MAX) {
      this.truncated = true;
      return false;
    }
    this.#ids.add(id);
    return true;
  }

  /** An edge that no fact states. */
  tie(edge: TraceEdge): void {
    if (this.add(edge.from) && this.add(edge.to)) this.#addEdge(edge);
  }

  /** A node that is not in the ledger. */
  give(node: TraceNode): void {
    this.#given.set(node.id, node);
  }

  async go(from: string, direction: 'down' | 'up'): Promise<void> {
    const seen = new Set([from]);
    let level: readonly string[] = [from, ...this.#givenNeighbours(from, direction)];
    for (let depth = 0; level.length > 0; depth += 1) {
      if (depth === TRACE_DEPTH_MAX) {
        this.truncated = true;
        return;
      }
      const next: string[] = [];
      for (const edge of await this.#edgesOf(level, direction)) {
        const neighbour = direction === 'down' ? edge.to : edge.from;
        if (!this.add(neighbour)) continue;
        this.#addEdge(edge);
        if (seen.has(neighbour) || END_RELATIONS.includes(edge.relation as Relation)) continue;
        seen.add(neighbour);
        next.push(neighbour);
      }
      level = next;
    }
  }

  async describe(): Promise<TraceNode[]> {
    const rows = await graphRows(this.#projection, [...this.#ids], {
      table: 'nodes',
      column: 'id',
      columns: 'id, kind, label, sequence, "at", detail',
      asOf: this.#asOf,
      limit: NODE_ROWS_MAX,
    });
    const known = new Map<string, TraceNode>(this.#given);
    for (const row of rows) known.set(String(row['id']), mergeNode(known.get(String(row['id'])), row));
    return [...this.#ids].map((id) => known.get(id) ?? mentioned(id));
  }

  #addEdge(edge: TraceEdge): void {
    this.#edges.set(keyOf(edge), edge);
  }

  #givenNeighbours(from: string, direction: 'down' | 'up'): string[] {
    return this.edges()
      .filter((edge) => (direction === 'down' ? edge.from : edge.to) === from)
      .map((edge) => (direction === 'down' ? edge.to : edge.from));
  }

  async #edgesOf(level: readonly string[], direction: 'down' | 'up'): Promise<TraceEdge[]> {
    const rows = await graphRows(this.#projection, level, {
      table: 'edges',
      column: direction === 'down' ? 'from_id' : 'to_id',
      columns: 'from_id, relation, to_id, sequence',
      asOf: this.#asOf,
      limit: EDGE_ROWS_MAX,
    });
    const edges = new Map<string, TraceEdge>();
    for (const row of rows) {
      const edge = edgeOf(row);
      const key = keyOf(edge);
      // The same edge may be stated again: the first fact that does counts.
      if (!edges.has(key)) edges.set(key, edge);
    }
    return this.#known([...edges.values()].sort(inOrder));
  }

  /** What answers an anomaly is shown once it is a fact itself: the anomaly cannot know. */
  async #known(edges: TraceEdge[]): Promise<TraceEdge[]> {
    const rollbacks = [...new Set(edges.map(({ from }) => from).filter(isRollback))];
    if (rollbacks.length === 0) return edges;
    const question = {
      table: 'nodes',
      column: 'id',
      columns: 'id, sequence',
      asOf: this.#asOf,
      limit: NODE_ROWS_MAX,
    } as const;
    const known = new Set((await graphRows(this.#projection, rollbacks, question)).map((row) => String(row['id'])));
    return edges.filter(({ from }) => !isRollback(from) || known.has(from));
  }
}

function isRollback(id: string): boolean {
  return id.startsWith('rollback:');
}

function edgeOf(row: Row): TraceEdge {
  return {
    from: String(row['from_id']),
    relation: String(row['relation']),
    to: String(row['to_id']),
    sequence: Number(row['sequence']),
  };
}

function keyOf({ from, relation, to }: TraceEdge): string {
  return `${from} ${relation} ${to}`;
}

function inOrder(left: TraceEdge, right: TraceEdge): number {
  const bySequence = (left.sequence ?? 0) - (right.sequence ?? 0);
  if (bySequence !== 0) return bySequence;
  const [one, two] = [keyOf(left), keyOf(right)];
  return one < two ? -1 : Number(one > two);
}

function mergeNode(known: TraceNode | undefined, row: Row): TraceNode {
  const detail = JSON.parse(String(row['detail'])) as Readonly<Record<string, unknown>>;
  const label = String(row['label']);
  if (known !== undefined) return { ...known, label, detail: { ...known.detail, ...detail } };
  return {
    id: String(row['id']),
    kind: String(row['kind']),
    label,
    sequence: Number(row['sequence']),
    at: String(row['at']),
    detail,
  };
}

function mentioned(id: string): TraceNode {
  return {
    id,
    kind: id.slice(0, Math.max(0, id.indexOf(':'))),
    label: 'mentioned only',
    sequence: null,
    at: null,
    detail: {},
  };
}
