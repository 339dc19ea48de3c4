/** How long an answer of the lineage takes in a graph of a million edges, forwards and backwards, as of a time within it. */
import { join } from 'node:path';
import { DuckdbProjection, LineageFollower, sequenceAsOf, traceLineage } from '@fleetloop/control-plane';
import type { Figure, FigureContext } from '../figure.ts';
import type { Measurement } from '../measurement.ts';
import { FinishedLedger, timeOfEntry } from './finished-ledger.ts';
import { datasetDigest, lineageFacts, recordingDigest } from './ledger-workload.ts';

const RECORDINGS = 100_000;
const DATASETS = 1_500;
const QUESTIONS = 200;
const P99 = 0.99;
const WAIT_STEP = 20_000;

export const lineageFigures: readonly Figure[] = [{ name: 'lineage', run: measureLineage }];

async function measureLineage({ folder, signal, onProgress }: FigureContext): Promise<readonly Measurement[]> {
  const work = { recordings: RECORDINGS, datasets: DATASETS };
  const ledger = new FinishedLedger(() => lineageFacts(work));
  const size = await ledger.size();
  await using projection = await DuckdbProjection.open({ folder: join(folder, 'projection'), ledger });
  for (let applied = 0; applied < size && !signal.aborted; applied = projection.appliedSequence()) {
    onProgress(`${applied} of ${size} entries are projected`);
    // A step may take longer than a reader of its own write would wait.
    await projection.waitFor(Math.min(applied + WAIT_STEP, size), signal).catch(() => undefined);
  }
  const [count] = await projection.query('SELECT count(*) AS edges FROM edges');
  const edges = Number(count?.['edges']);
  onProgress(`${edges} edges`);
  const loadStartedMs = performance.now();
  await using follower = LineageFollower.start({ source: projection });
  await follower.catchUp();
  const loadMs = performance.now() - loadStartedMs;
  const index = follower.size();
  const telemetry = { inference: async () => undefined, inferences: async () => [] };
  const took: number[] = [];
  for (let asked = 0; asked < QUESTIONS && !signal.aborted; asked += 1) {
    const startedMs = performance.now();
    // As of a time within the ledger, which is looked up as the API looks it up.
    const asOf = await sequenceAsOf(projection, new Date(timeOfEntry(size - asked)).toISOString());
    await traceLineage({ projection, telemetry, graphAsOf: follower.graphAsOf }, { ...questionAt(asked), asOf });
    took.push(performance.now() - startedMs);
  }
  const sorted = took.toSorted((left, right) => left - right);
  const at = (quantile: number): number => sorted[Math.floor(sorted.length * quantile)] ?? Number.NaN;
  const row = { bench: 'data', unit: 'ms', min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0, repeats: sorted.length };
  const what = `lineage answer at ${(edges / 1e6).toFixed(2)} M edges, as of an entry`;
  const once = { bench: 'data', repeats: 1 };
  const bytesPerEdge = index.sizeBytes / index.edges;
  return [
    { ...row, figure: `${what}, median`, value: at(0.5) },
    { ...row, figure: `${what}, p99`, value: at(P99), target: { atMost: 100 } },
    { ...once, figure: 'lineage index, first load', unit: 'ms', value: loadMs, min: loadMs, max: loadMs },
    {
      ...once,
      figure: 'lineage index, memory per edge',
      unit: 'B',
      value: bytesPerEdge,
      min: bytesPerEdge,
      max: bytesPerEdge,
    },
  ];
}

/** Backwards from a dataset to vehicles and campaigns; forwards from a recording to all datasets that hold it. */
function questionAt(asked: number): { readonly id: string; readonly direction: 'down' | 'up' } {
  if (asked % 2 === 0) return { id: datasetDigest(asked % DATASETS), direction: 'down' };
  return { id: `recording:${recordingDigest(Math.floor((asked / QUESTIONS) * RECORDINGS))}`, direction: 'up' };
}
