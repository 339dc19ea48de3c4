/** What one vehicle costs in memory: a real agent on a real nats-server and control plane, capturing first and then also inferring. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApiClient, VehicleDetails } from '@fleetloop/control-plane';
import { shareDrives, terrainRotation, runDrive, type Drive } from '../world/fleet-plan.ts';
import { peakRssBytes } from '../world/peak-memory.ts';
import { VehicleProcess } from '../world/vehicle-process.ts';
import { waitUntil } from '../world/wait-until.ts';
import { assignBenchModel } from './bench-model.ts';
import { type BenchServers, startBenchServers } from './bench-servers.ts';
import { type Bench, median, type Measurement } from './measurement.ts';

const CAMPAIGN = join(import.meta.dirname, '../../campaigns/hard-manoeuvre.json');
const BYTES_PER_MB = 1e6;
const PHASE_TIMEOUT_MS = 240_000;
/** Terrain runs that the vehicle infers over, at this many times real time. */
const INFERENCE_RUNS = 10;
const INFERENCE_SPEED = 60;
const SLOT_INTERVAL_MS = 3_600_000;
const FIRST_SLOT = '2026-01-01T00:00:00.000Z';

type Peaks = { readonly capturingMb: number; readonly inferringMb: number };

export const agentBench: Bench = {
  name: 'agent',
  description: 'peak RSS of one agent process: the 18 drives captured and uploaded, then terrain runs with a model',
  run: async ({ repeats, signal }) => {
    await using resources = new AsyncDisposableStack();
    const servers = await startBenchServers(signal, resources);
    // The first start fills the compile cache that every later start of an agent finds.
    await measure(servers, 'warm-up', signal);
    const peaks: Peaks[] = [];
    for (let round = 1; round <= repeats; round += 1) peaks.push(await measure(servers, `bench-${round}`, signal));
    return [
      toMeasurement(
        'peak RSS while capturing',
        100,
        peaks.map(({ capturingMb }) => capturingMb),
      ),
      toMeasurement(
        'peak RSS with inference',
        160,
        peaks.map(({ inferringMb }) => inferringMb),
      ),
    ];
  },
};

async function measure(servers: BenchServers, vehicleId: string, signal: AbortSignal): Promise<Peaks> {
  const { api, nats, root } = servers;
  await using vehicle = await VehicleProcess.start({
    plan: { vehicleId, hardwareRevision: 'A', place: '' },
    folder: join(root, vehicleId),
    natsUrl: nats.url,
    api,
    onProgress: () => {},
    signal,
  });
  await api.post('/v1/campaigns', { campaign: JSON.parse(await readFile(CAMPAIGN, 'utf8')), vehicles: [vehicleId] });
  const drives = shareDrives(1).flat();
  await until(api, vehicleId, signal, ({ reported }) => reported?.campaigns[0]?.state === 'active');
  await vehicle.drive(drives);
  await until(
    api,
    vehicleId,
    signal,
    ({ reported }) => reported?.source.sessionsDone === drives.length && isIdle(reported),
  );
  const capturingMb = await peakMb(vehicle);
  await assignBenchModel(servers, vehicleId);
  await until(api, vehicleId, signal, ({ reported }) => reported?.model.activeSlot === 'A');
  const runs = inferenceRuns();
  await vehicle.drive(runs);
  const sessions = drives.length + runs.length;
  await until(
    api,
    vehicleId,
    signal,
    ({ reported }) => reported?.source.sessionsDone === sessions && isConfirmed(reported),
  );
  return { capturingMb, inferringMb: await peakMb(vehicle) };
}

type Reported = NonNullable<VehicleDetails['reported']>;

/** Captured something, and everything of it is verified. */
const isIdle = ({ uplink }: Reported): boolean => uplink.verified > 0 && uplink.spooled === 0;
const isConfirmed = ({ model }: Reported): boolean => model.slots.some(({ state }) => state === 'confirmed');

function inferenceRuns(): readonly Drive[] {
  const runs = terrainRotation(['test']).slice(0, INFERENCE_RUNS);
  return runs.map((run, index) => {
    const startAt = new Date(Date.parse(FIRST_SLOT) + index * SLOT_INTERVAL_MS).toISOString();
    return runDrive(run, 'A', { startAt, speed: INFERENCE_SPEED });
  });
}

async function until(
  api: ApiClient,
  vehicleId: string,
  signal: AbortSignal,
  isReached: (vehicle: VehicleDetails) => boolean,
): Promise<void> {
  await waitUntil(
    async () => (isReached(await api.get<VehicleDetails>(`/v1/vehicles/${vehicleId}`)) ? true : undefined),
    { what: `the next state of ${vehicleId}`, timeoutMs: PHASE_TIMEOUT_MS, signal },
  );
}

const peakMb = async (vehicle: VehicleProcess): Promise<number> => (await peakRssBytes(vehicle.pid())) / BYTES_PER_MB;

function toMeasurement(figure: string, atMost: number, values: readonly number[]): Measurement {
  const sorted = values.toSorted((left, right) => left - right);
  return {
    bench: 'agent',
    figure,
    unit: 'MB',
    value: median(sorted),
    min: sorted[0] ?? 0,
    max: sorted.at(-1) ?? 0,
    repeats: sorted.length,
    target: { atMost },
  };
}
