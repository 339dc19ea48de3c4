/**
 * End of the post-window → recording closed on disk, in a real agent process, seen from outside: the end is what the recording says of
 * itself on the session's clock, the closing is the kernel's word that the file has got its name.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromMetadataRecords, readRecording } from '@fleetloop/schemas/recording';
import { startBenchServers } from '../bench-servers.ts';
import type { Measurement } from '../measurement.ts';
import { ClosedFiles } from './closed-files.ts';
import type { FigureContext, Figure } from '../figure.ts';
import { LiveVehicle } from './live-vehicle.ts';
import { speedCampaign } from './live-workload.ts';

const P99_MS_MAX = 50;
const NS_PER_MS = 1e6;
const EVENT_TIMEOUT_MS = 120_000;

type Case = {
  readonly name: string;
  readonly preWindowMs: number;
  readonly postWindowMs: number;
  readonly events: number;
};

/** Windows do not touch: each trigger makes a recording of its own. */
const PAUSE_MS = 500;
const CASES: readonly Case[] = [
  { name: 'closing short', preWindowMs: 600, postWindowMs: 300, events: 110 },
  { name: 'closing long', preWindowMs: 10_000, postWindowMs: 5_000, events: 8 },
];

export const closingFigures: readonly Figure[] = CASES.map((each) => ({
  name: each.name,
  run: async (context) => measureClosing(context, each),
}));

async function measureClosing(context: FigureContext, work: Case): Promise<readonly Measurement[]> {
  const { signal, folder, onProgress } = context;
  const { preWindowMs, postWindowMs, events } = work;
  await using resources = new AsyncDisposableStack();
  const servers = await startBenchServers(signal, resources);
  const vehicleId = work.name.replace(' ', '-');
  await using vehicle = await LiveVehicle.prepare({ servers, vehicleId, signal });
  const queue = join(vehicle.stateDir, 'spool/queue');
  await mkdir(queue, { recursive: true });
  await vehicle.warmUp();
  await vehicle.start();
  await vehicle.serving();
  await vehicle.campaign(speedCampaign(preWindowMs, postWindowMs));
  using closed = new ClosedFiles(queue, folder);
  const triggerEveryMs = preWindowMs + postWindowMs + PAUSE_MS;
  await vehicle.publish({ triggerEveryMs, turnsPerPeriod: 1 });
  for (let count = 1; count <= events; count += 1) {
    await closed.next(AbortSignal.any([signal, AbortSignal.timeout(EVENT_TIMEOUT_MS)]));
    if (count % 20 === 0) onProgress(`${count} of ${events} events`);
  }
  const delaysMs = await Promise.all(closed.files.map(async ({ path, atMs }) => atMs - (await endMsOf(path))));
  const sorted = delaysMs.toSorted((left, right) => left - right);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  onProgress(`p50 ${at(0.5).toFixed(1)} ms, p99 ${at(0.99).toFixed(1)} ms, largest ${at(1).toFixed(1)} ms`);
  const bytes = Math.max(...(await Promise.all(closed.files.map(async ({ path }) => (await readFile(path)).length))));
  const seconds = (preWindowMs + postWindowMs) / 1_000;
  return [
    {
      bench: 'edge',
      figure: `end of post-window to closed on disk, ${seconds} s and ${(bytes / 1e6).toFixed(1)} MB: p99 (min: p50)`,
      unit: 'ms',
      repeats: sorted.length,
      value: at(0.99),
      min: at(0.5),
      max: at(1),
      target: { atMost: P99_MS_MAX },
    },
  ];
}

/** When the event of a recording ends, on the wall clock that its session began with. */
async function endMsOf(path: string): Promise<number> {
  const records = [];
  for await (const item of readRecording([await readFile(path)]))
    if (item.kind === 'metadata') records.push(item.record);
  const { event } = fromMetadataRecords(records);
  if (event === undefined) throw new Error(`${path} is a recording without an event`);
  return Number(event.endNs) / NS_PER_MS;
}
