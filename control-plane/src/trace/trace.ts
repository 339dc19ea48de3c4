/** Why: from any one thing, what it was made from and what came of it, as of any day. */
import { FleetError } from '@fleetloop/schemas';
import type { InferenceWindow, Projection, TelemetryStore } from '../ports.ts';
import { findNode } from './find-node.ts';
import { nodeId } from './lineage.ts';
import type { GraphAsOf, LineageGraph, TraceEdge } from './lineage-graph.ts';
import { ProjectionGraph } from './projection-graph.ts';
import { type TraceNode, TraceWalk } from './trace-walk.ts';

/** down: to what it was made from. up: to what came of it. */
export const TRACE_DIRECTIONS = ['down', 'up', 'both'] as const;
export type TraceDirection = (typeof TRACE_DIRECTIONS)[number];

export type Trace = {
  readonly from: string;
  readonly direction: TraceDirection;
  /** Ledger sequence that the answer is as of. */
  readonly asOf: number;
  readonly nodes: readonly TraceNode[];
  readonly edges: readonly TraceEdge[];
  readonly truncated: boolean;
};

export type TraceRequest = {
  /** A node id, the part after its kind, a digest, or a prefix of one of these that fits a single node. */
  readonly id: string;
  readonly direction: TraceDirection;
  readonly asOf?: number;
};

export type TraceSources = {
  readonly projection: Projection;
  readonly telemetry: Pick<TelemetryStore, 'inference' | 'inferences'>;
  /** The graph as of an entry; without it, it is read from the tables of the projection. */
  readonly graphAsOf?: GraphAsOf;
};

/** One question: the graph that it is asked of, and the entry that it is as of. */
type Asked = { readonly sources: TraceSources; readonly graph: LineageGraph; readonly asOf: number };

/**
 * The lineage of one node.
 * @throws FleetError TRACE_UNKNOWN, TRACE_AMBIGUOUS
 */
export async function traceLineage(sources: TraceSources, request: TraceRequest): Promise<Trace> {
  const asOf = Math.min(request.asOf ?? Number.MAX_SAFE_INTEGER, sources.projection.appliedSequence());
  const graph = (await sources.graphAsOf?.(asOf)) ?? new ProjectionGraph(sources.projection, asOf);
  const asked = { sources, graph, asOf };
  const walk = new TraceWalk(graph);
  const from = await startOf(asked, request, walk);
  walk.add(from);
  if (request.direction !== 'up') {
    await walk.go(from, 'down');
    await tieAnomaliesToInferences(asked, walk);
  }
  if (request.direction !== 'down') await walk.go(from, 'up');
  const nodes = await walk.describe();
  return { from, direction: request.direction, asOf, nodes, edges: walk.edges(), truncated: walk.truncated };
}

async function startOf(asked: Asked, { id, direction }: TraceRequest, walk: TraceWalk): Promise<string> {
  const inference = /^inference:(?<vehicle>[^:]+):(?<sequence>\d{1,15})$/.exec(id)?.groups;
  if (inference !== undefined) {
    const { vehicle = '', sequence = '' } = inference;
    const window = await asked.sources.telemetry.inference(vehicle, Number(sequence));
    if (window === undefined)
      throw new FleetError(
        'TRACE_UNKNOWN',
        `no inference ${sequence} of vehicle ${vehicle} is in the telemetry that is kept`,
      );
    giveInference(id, window, walk);
    if (direction !== 'up') tieToOrigin(id, window, walk);
    if (direction !== 'down') await tieToAnomalies(asked, { id, window }, walk);
    return id;
  }
  return findNode({ ...asked, projection: asked.sources.projection }, id);
}

/** An inference is telemetry and no fact: its ties are read from what vehicle and bundle it names. */
function giveInference(id: string, window: InferenceWindow, walk: TraceWalk): void {
  const { output, confidence, distance, latencyUs, fallback, variant, role, session, hardwareRevision } = window;
  const at = new Date(window.receivedAtMs).toISOString();
  const times = { windowStartNs: String(window.windowStartNs), windowEndNs: String(window.windowEndNs) };
  const detail = {
    output,
    confidence,
    distance,
    latencyUs,
    fallback,
    variant,
    role,
    session,
    hardwareRevision,
    ...times,
  };
  walk.give({ id, kind: 'inference', label: `${output} ${confidence.toFixed(2)}`, sequence: null, at, detail });
}

function tieToOrigin(id: string, window: InferenceWindow, walk: TraceWalk): void {
  walk.tie({ from: id, relation: 'made_by', to: nodeId.bundle(window.bundle), sequence: null });
  walk.tie({ from: id, relation: 'on', to: nodeId.vehicle(window.vehicleId), sequence: null });
}

/** An anomaly rests on the inferences that its vehicles made with its bundle. */
async function tieToAnomalies(
  { sources, asOf }: Asked,
  of: { readonly id: string; readonly window: InferenceWindow },
  walk: TraceWalk,
): Promise<void> {
  const anomalies = await sources.projection.query(
    `SELECT anomaly_id FROM anomalies
     WHERE bundle = $bundle AND sequence <= $asOf::BIGINT AND list_contains(from_json(vehicles, '["VARCHAR"]'), $vehicle)`,
    { bundle: of.window.bundle, vehicle: of.window.vehicleId, asOf: String(asOf) },
  );
  for (const row of anomalies)
    walk.tie({ from: nodeId.anomaly(String(row['anomaly_id'])), relation: 'seen_on', to: of.id, sequence: null });
}

/** Inferences that are shown of what an anomaly rests on: those farthest from the training distribution. */
const INFERENCES_SHOWN = 5;
const INFERENCES_READ_MAX = 2_000;

async function tieAnomaliesToInferences({ sources, asOf }: Asked, walk: TraceWalk): Promise<void> {
  const { projection, telemetry } = sources;
  for (const id of walk.idsOf('anomaly')) {
    const [anomaly] = await projection.facts('anomaly.opened', {
      key: id.slice('anomaly:'.length),
      asOfSequence: asOf,
    });
    if (anomaly === undefined) continue;
    const { bundle, vehicles } = anomaly.body;
    const seen = await telemetry.inferences({
      bundle,
      vehicles,
      untilMs: Date.parse(anomaly.at),
      limit: INFERENCES_READ_MAX,
    });
    const farthest = [...seen].sort((left, right) => right.distance - left.distance).slice(0, INFERENCES_SHOWN);
    for (const window of farthest) {
      const inference = nodeId.inference(window.vehicleId, window.sequence);
      giveInference(inference, window, walk);
      walk.tie({ from: id, relation: 'seen_on', to: inference, sequence: null });
      tieToOrigin(inference, window, walk);
    }
  }
}
