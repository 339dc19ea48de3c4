/** The point-in-time join of 100 k entities with 50 features of 1 M windows, beside Feast's historical retrieval of the same rows. */
import { join } from 'node:path';
import { availableParallelism } from 'node:os';
import { DuckDBInstance } from '@duckdb/node-api';
import { joinPointInTime } from '@fleetloop/control-plane';
import { FleetError } from '@fleetloop/schemas';
import type { Figure, FigureContext } from '../figure.ts';
import { type Measurement, median, repeat } from '../measurement.ts';
import { type FeastRun, runFeast } from './feast-peer.ts';
import { ENTITY_ROWS, type JoinTables, MAX_AGE_SECONDS, writeJoinTables } from './join-workload.ts';

const PEER = 'Feast 0.67 historical retrieval';
const FASTER_AT_LEAST = 10;
const THREADS = Math.min(2, availableParallelism());
/** A retrieval takes many seconds: three runs show what a median needs. */
const PEER_REPEATS_MAX = 3;

export const joinFigures: readonly Figure[] = [
  {
    name: 'point-in-time-join',
    run: async (context) => {
      context.onProgress('writing the tables');
      const tables = await writeJoinTables(context.folder);
      const seconds = await repeat(context.repeats, async () => joinSeconds(context, tables, tables.features));
      const arrivals = await repeat(context.repeats, async () => joinSeconds(context, tables, tables.arrivals));
      await joinSeconds(context, tables, tables.features);
      const peer = await feastSeconds(context, tables);
      const rate = { bench: 'data', unit: 's' } as const;
      const ours = { ...rate, figure: 'point-in-time join, 100 k entities, 50 features of 1 M rows', ...seconds };
      const withArrival = {
        ...rate,
        figure: 'point-in-time join that also leaves out what had not arrived',
        ...arrivals,
      };
      if (peer === undefined) return [ours, withArrival];
      const measured = { ...ours, peer: { name: PEER, value: peer } };
      return [measured, { ...withArrival, peer: measured.peer }, ratioOf(measured, peer)];
    },
  },
];

function ratioOf(ours: Measurement, peer: number): Measurement {
  const { bench, value, min, max, repeats } = ours;
  return {
    bench,
    figure: 'point-in-time join, times faster than the peer',
    unit: 'x',
    value: peer / value,
    min: peer / max,
    max: peer / min,
    repeats,
    target: { atLeast: FASTER_AT_LEAST },
  };
}

async function joinSeconds({ folder, signal }: FigureContext, tables: JoinTables, features: string): Promise<number> {
  const startedMs = performance.now();
  await joinPointInTime(
    {
      entities: tables.entities,
      features: [{ path: features }],
      out: join(folder, 'joined.parquet'),
      entityColumn: 'vehicle',
      timeColumn: 'event_time_ns',
      maxAgeMs: MAX_AGE_SECONDS * 1_000,
      delayMs: 0,
      threads: THREADS,
    },
    signal,
  );
  return (performance.now() - startedMs) / 1_000;
}

/** Median seconds of the peer; undefined where it cannot be installed. @throws Error when both do not give the same rows */
async function feastSeconds(context: FigureContext, tables: JoinTables): Promise<number | undefined> {
  try {
    const runs: FeastRun[] = [];
    for (let round = 0; round < Math.min(context.repeats, PEER_REPEATS_MAX); round += 1) {
      context.onProgress(`${PEER}, run ${round + 1}`);
      runs.push(await runFeast(context, tables));
    }
    await checkSame(context, runs[0] as FeastRun);
    return median(runs.map((run) => run.seconds).toSorted((left, right) => left - right));
  } catch (error) {
    context.signal.throwIfAborted();
    if (FleetError.from(error).code !== 'STACK_UNAVAILABLE') throw error;
    context.onProgress(`the peer is left out: ${FleetError.from(error).message}`);
    return undefined;
  }
}

/** Two joins are only comparable when they answer the same. */
async function checkSame({ folder }: FigureContext, peer: FeastRun): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const path = join(folder, 'joined.parquet');
    const counted = await connection.runAndReadAll(
      `SELECT count(*) AS rows, count(f0) AS matched, sum(f0) AS total FROM read_parquet('${path}')`,
    );
    const [ours] = counted.getRowObjectsJS();
    const isSame =
      Number(ours?.['rows']) === ENTITY_ROWS &&
      peer.rows === ENTITY_ROWS &&
      Number(ours?.['matched']) === peer.matched &&
      Math.abs(Number(ours?.['total']) - peer.sum) <= 1e-6 * peer.sum;
    if (!isSame) throw new Error(`the joins differ: ${Number(ours?.['matched'])} and ${peer.matched} entities matched`);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
