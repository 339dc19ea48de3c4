/** What most files of this folder need: a control plane on real servers and one vehicle, opened before their tests and closed after them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { type AgentBench, type AgentBenchOptions, openAgentBench } from './agent-process.ts';
import { type LiveVehicle, openLiveVehicle } from './live-vehicle.ts';

/** Its properties are there once the tests have begun. */
export type Fleet<V> = {
  readonly root: string;
  readonly bench: IngestBench;
  readonly controlPlane: ControlPlaneProcess;
  readonly vehicle: V;
  /** Starts another control plane after the one before was ended. */
  readonly restartControlPlane: () => Promise<void>;
};

type Ground = Omit<Fleet<unknown>, 'vehicle' | 'restartControlPlane'>;

/** A vehicle whose agent takes its drives from a playlist. */
export function withAgent(
  vehicleId: string,
  settings?: AgentBenchOptions['settings'],
  prepare: (ground: Ground, agent: AgentBench) => Promise<void> = async () => {},
): Fleet<AgentBench> {
  return opened(vehicleId, async (ground) => {
    const { root, bench, controlPlane } = ground;
    const folder = join(root, vehicleId);
    const options = { api: controlPlane.api, natsUrl: bench.nats.url, folder, vehicleId };
    const agent = await openAgentBench({ ...options, ...(settings === undefined ? {} : { settings }) });
    await prepare(ground, agent);
    await agent.start();
    return agent;
  });
}

/** A vehicle that captures live. */
export function withLiveVehicle(vehicleId: string): Fleet<LiveVehicle> {
  return opened(vehicleId, async ({ root, bench, controlPlane }) =>
    openLiveVehicle({ bench, api: () => controlPlane.api, root, vehicleId }),
  );
}

function opened<V extends AsyncDisposable>(name: string, open: (ground: Ground) => Promise<V>): Fleet<V> {
  let ground: Ground | undefined;
  let vehicle: V | undefined;
  beforeAll(async () => {
    const root = await mkdtemp(join(tmpdir(), `fleetloop-${name}-`));
    const bench = await openIngestBench();
    ground = { root, bench, controlPlane: await bench.start() };
    vehicle = await open(ground);
  });
  afterAll(async () => {
    await vehicle?.[Symbol.asyncDispose]();
    await ground?.bench[Symbol.asyncDispose]();
    if (ground !== undefined) await rm(ground.root, { recursive: true, force: true });
  });
  const there = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error('the fleet of this file is not open: use it inside a test');
    return value;
  };
  return {
    get root() {
      return there(ground).root;
    },
    get bench() {
      return there(ground).bench;
    },
    get controlPlane() {
      return there(ground).controlPlane;
    },
    get vehicle() {
      return there(vehicle);
    },
    restartControlPlane: async () => {
      const before = there(ground);
      ground = { ...before, controlPlane: await before.bench.start() };
    },
  };
}
