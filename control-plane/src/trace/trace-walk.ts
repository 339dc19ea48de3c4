/** Why: one walk over the lineage, breadth first; each level is one question to the graph, and there is a limit to all of it. */
import type { LineageGraph, NodeRow, TraceEdge } from './lineage-graph.ts';
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

/** Breadth first over the edges of a graph. Mutates as it goes. */
export class TraceWalk {
  readonly #graph: LineageGraph;
  readonly #ids = new Set<string>();
  readonly #edges = new Map<string, TraceEdge>();
  readonly #given = new Map<string, TraceNode>();
  truncated = false;

  constructor(graph: LineageGraph) {
    this.#graph = graph;
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
    const rows = await this.#graph.nodesOf([...this.#ids], NODE_ROWS_MAX);
    const known = new Map<string, TraceNode>(this.#given);
    for (const row of rows) known.set(row.id, mergeNode(known.get(row.id), row));
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

  async #edgesOf(level: readonly string[], direction: 'down' | 'up'): Promise<readonly TraceEdge[]> {
    const { edges, truncated } = await this.#graph.edgesOf(level, direction === 'down' ? 'from' : 'to', EDGE_ROWS_MAX);
    if (truncated) this.truncated = true;
    return this.#known(edges);
  }

  /** What answers an anomaly is shown once it is a fact itself: the anomaly cannot know. */
  async #known(edges: readonly TraceEdge[]): Promise<readonly TraceEdge[]> {
    const rollbacks = [...new Set(edges.map(({ from }) => from).filter(isRollback))];
    if (rollbacks.length === 0) return edges;
    const known = await this.#graph.stated(rollbacks);
    return edges.filter(({ from }) => !isRollback(from) || known.has(from));
  }
}

function isRollback(id: string): boolean {
  return id.startsWith('rollback:');
}

function keyOf({ from, relation, to }: TraceEdge): string {
  return `${from} ${relation} ${to}`;
}

function mergeNode(known: TraceNode | undefined, row: NodeRow): TraceNode {
  if (known === undefined) return row;
  return { ...known, label: row.label, detail: { ...known.detail, ...row.detail } };
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
