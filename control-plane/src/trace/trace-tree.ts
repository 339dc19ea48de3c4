/** Why: a person reads lineage as a tree. Each node is drawn once; where it comes up again, the tree points back to it. */
import { type Relation, RELATIONS } from './lineage.ts';
import type { Trace } from './trace.ts';
import type { TraceEdge } from './lineage-graph.ts';
import type { TraceNode } from './trace-walk.ts';

/** Children of one kind and relation that are drawn one by one; of more, the first ones and a count. */
const SIBLINGS_SHOWN = 5;
const SHORT_DIGEST_DIGITS = 12;

export type TreeOptions = { /** Draw every node, however many are alike. */ readonly every?: boolean };

/** The trace as lines of text, down and up under headings of their own. */
export function renderTree(trace: Trace, options: TreeOptions = {}): string {
  const nodes = new Map(trace.nodes.map((node) => [node.id, node]));
  const root = nodes.get(trace.from);
  const parts = [root === undefined ? trace.from : describe(root)];
  if (trace.direction !== 'up')
    parts.push('', 'was made from or because of (down):', ...branches(trace, 'down', nodes, options));
  if (trace.direction !== 'down') parts.push('', 'came of it (up):', ...branches(trace, 'up', nodes, options));
  parts.push(
    '',
    `${trace.nodes.length} nodes, ${trace.edges.length} edges, as of ledger entry ${trace.asOf}${trace.truncated ? '; truncated' : ''}`,
  );
  return parts.join('\n');
}

type Neighbour = { readonly relation: string; readonly id: string };

function branches(
  trace: Trace,
  direction: 'down' | 'up',
  nodes: ReadonlyMap<string, TraceNode>,
  options: TreeOptions,
): string[] {
  const neighbours = groupEdges(trace.edges, direction);
  const drawn = new Set([trace.from]);
  const lines: string[] = [];
  // A list instead of recursion: lineage may be deeper than the stack.
  const open = childrenOf(trace.from, '', neighbours, options).reverse();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { prefix, isLast } = next;
    const branch = `${prefix}${isLast ? '└─' : '├─'} `;
    if (next.more > 0) {
      lines.push(`${branch}… and ${next.more} more: ${next.relation}`);
      continue;
    }
    const node = nodes.get(next.id);
    const again = drawn.has(next.id);
    const relation = direction === 'down' ? next.relation : `◄ ${next.relation}`;
    lines.push(
      `${branch}${relation} ${node === undefined ? next.id : describe(node)}${again && neighbours.has(next.id) ? ' (see above)' : ''}`,
    );
    if (again) continue;
    drawn.add(next.id);
    open.push(...childrenOf(next.id, `${prefix}${isLast ? '   ' : '│  '}`, neighbours, options).reverse());
  }
  return lines.length === 0 ? ['(nothing)'] : lines;
}

type Branch = Neighbour & { readonly prefix: string; readonly isLast: boolean; readonly more: number };

function childrenOf(
  id: string,
  prefix: string,
  neighbours: ReadonlyMap<string, readonly Neighbour[]>,
  options: TreeOptions,
): Branch[] {
  const alike = Map.groupBy(neighbours.get(id) ?? [], (neighbour) => `${neighbour.relation} ${kindOf(neighbour.id)}`);
  const shown = [...alike.values()].flatMap((group) => {
    const limit = options.every === true ? group.length : SIBLINGS_SHOWN;
    const first = group.slice(0, limit).map((neighbour) => ({ ...neighbour, prefix, more: 0 }));
    const rest = group.length - first.length;
    const [sample] = group;
    return rest === 0 || sample === undefined
      ? first
      : [...first, { prefix, id: sample.id, more: rest, relation: `${sample.relation} ${kindOf(sample.id)}` }];
  });
  return shown.map((branch, index) => ({ ...branch, isLast: index === shown.length - 1 }));
}

function groupEdges(edges: readonly TraceEdge[], direction: 'down' | 'up'): Map<string, Neighbour[]> {
  const neighbours = new Map<string, Neighbour[]>();
  // What a thing was made of comes before what merely concerns it: the order of RELATIONS.
  const rank = ({ relation }: TraceEdge): number => RELATIONS.indexOf(relation as Relation);
  for (const { from, relation, to } of [...edges].sort((left, right) => rank(left) - rank(right))) {
    const [parent, child] = direction === 'down' ? [from, to] : [to, from];
    const list = neighbours.get(parent) ?? [];
    list.push({ relation, id: child });
    neighbours.set(parent, list);
  }
  return neighbours;
}

function describe(node: TraceNode): string {
  const at = node.at === null ? '' : `  ${node.at.slice(0, 19)}Z`;
  const entry = node.sequence === null ? '' : `  #${node.sequence}`;
  const label = node.id.endsWith(`:${node.label}`) ? '' : `  ${node.label}`;
  return `${shorten(node.id)}${label}${at}${entry}`;
}

function shorten(id: string): string {
  return id.replaceAll(/sha256:([0-9a-f]{64})/g, (_, hex: string) => hex.slice(0, SHORT_DIGEST_DIGITS));
}

function kindOf(id: string): string {
  return id.slice(0, id.indexOf(':'));
}
