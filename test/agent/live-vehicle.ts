/** Why: what the cloud and a vehicle agree on is proven on a live agent process, whose link can be cut and whose network can be taken away. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordingPage, RecordingView, VehicleDetails } from '@fleetloop/control-plane';
import { askAgent } from '@fleetloop/edge-agent';
import type { AgentQuestion, LedgerEntry, ReportedState } from '@fleetloop/schemas';
import { ScriptedLink, steadyLink } from '@fleetloop/sim';
import { expect } from 'vitest';
import type { ControlPlaneProcess, IngestBench } from '../ingest/control-plane-process.ts';
import { type AgentBench, openAgentBench } from './agent-process.ts';
import { type LiveSpeed, publishSpeed } from './live-signals.ts';

export const DEADLINE = { timeout: 60_000, interval: 50 };
const OVER_KMH = 120;
const USUAL_KMH = 10;

export type LiveVehicle = AsyncDisposable & {
  readonly agent: AgentBench;
  readonly speed: LiveSpeed;
  readonly link: ScriptedLink;
  readonly reported: () => Promise<ReportedState | undefined>;
  readonly stateOf: (campaignId: string) => Promise<string | undefined>;
  readonly recordings: () => Promise<readonly RecordingView[]>;
  /** Makes `speed > 100` true once; resolves when the agent has triggered. */
  readonly trigger: (campaignId: string) => Promise<void>;
  /** Event ids that the agent says it has put on disk, in their order. */
  readonly captured: () => Promise<readonly string[]>;
  /** Changes the class of its network, as a hook of the system would. */
  readonly network: (networkClass: 'wifi' | 'offline') => Promise<void>;
  readonly push: (campaign: object) => Promise<void>;
};

export type LiveVehicleOptions = {
  readonly bench: IngestBench;
  readonly api: () => ControlPlaneProcess['api'];
  readonly root: string;
  readonly vehicleId: string;
  /** The nats-server that it connects to, the one of the bench without it. */
  readonly natsUrl?: string;
  /** Called before it starts; may change its configuration. */
  readonly prepare?: (config: AgentConfigFile) => Promise<void>;
};

/** The part of a configuration that tests change. */
export type AgentConfigFile = {
  nats: { url: string; jwt: string; jwtFile?: string; seedFile: string };
  [key: string]: unknown;
};

/** Enrols a vehicle, starts its agent behind a link of its own, and drives at 10 km/h. */
export async function openLiveVehicle(options: LiveVehicleOptions): Promise<LiveVehicle> {
  const { bench, api, root, vehicleId, natsUrl = bench.nats.url } = options;
  await using resources = new AsyncDisposableStack();
  const link = resources.use(await ScriptedLink.start({ target: natsUrl, script: steadyLink() }));
  const networkClassFile = join(root, `${vehicleId}.network`);
  const agent = resources.use(
    await openAgentBench({
      api: api(),
      natsUrl: link.url,
      folder: join(root, vehicleId),
      vehicleId,
      settings: ({ liveSocket }) => ({ live: { socket: { path: liveSocket } }, uplink: { networkClassFile } }),
    }),
  );
  if (options.prepare !== undefined) await changeConfig(agent, options.prepare);
  await agent.start();
  const speed = resources.use(await publishSpeed(agent.liveSocket));
  const reported = async (): Promise<ReportedState | undefined> =>
    (await api().get<VehicleDetails>(`/v1/vehicles/${vehicleId}`)).reported ?? undefined;
  const messagesOf = async (name: string) => (await agent.diagnostics()).filter(({ msg }) => msg === name);
  const owned = resources.move();
  return {
    agent,
    speed,
    link,
    reported,
    stateOf: async (campaignId) => (await reported())?.campaigns.find(({ id }) => id === campaignId)?.state,
    recordings: async () => {
      const query = { where: `vehicle == "${vehicleId}"`, limit: 1_000 };
      return (await api().get<RecordingPage>('/v1/recordings', { query })).recordings;
    },
    trigger: async (campaignId) => {
      const before = await firedOf(agent, campaignId);
      speed.set(OVER_KMH);
      await expect.poll(async () => firedOf(agent, campaignId), DEADLINE).toBeGreaterThan(before);
      speed.set(USUAL_KMH);
    },
    captured: async () => (await messagesOf('record.event.spooled')).map(({ eventId }) => String(eventId)),
    network: async (networkClass) => {
      await replace(networkClassFile, networkClass);
      const now = async () => (await messagesOf('uplink.network.changed')).at(-1)?.['to'] ?? 'wifi';
      await expect.poll(now, DEADLINE).toBe(networkClass);
    },
    push: async (campaign) => {
      await api().post('/v1/campaigns', { campaign, vehicles: [vehicleId] });
    },
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  };
}

export async function changeConfig(
  agent: AgentBench,
  change: (config: AgentConfigFile) => Promise<void>,
): Promise<void> {
  const config = JSON.parse(await readFile(agent.config, 'utf8')) as AgentConfigFile;
  await change(config);
  await writeFile(agent.config, JSON.stringify(config));
}

/** The new text is there as a whole or not at all. */
export async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.active`, text);
  await rename(`${path}.active`, path);
}

export function speeding(id: string, change: object = {}): object {
  return {
    kind: 'campaign',
    id,
    version: 1,
    description: '',
    owner: 'tester',
    priority: 'normal',
    inputs: [{ kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' }],
    condition: 'speed > 100.0',
    edge: 'rising',
    preWindowMs: 200,
    postWindowMs: 100,
    ...change,
  };
}

/** Facts of the ledger about one vehicle's lost recordings. */
export async function evictions(bench: IngestBench, vehicleId: string): Promise<readonly Evicted[]> {
  const entries = await bench.readLedger();
  return entries.flatMap((entry) =>
    entry.kind === 'recording.evicted' && entry.body.vehicleId === vehicleId ? [entry.body] : [],
  );
}
export type Evicted = Extract<LedgerEntry, { readonly kind: 'recording.evicted' }>['body'];

/** Event ids of the recordings of one vehicle that were accepted, as often as they were. */
export async function acceptedEvents(bench: IngestBench, vehicleId: string): Promise<readonly string[]> {
  const entries = await bench.readLedger();
  return entries.flatMap((entry) =>
    entry.kind === 'recording.accepted' && entry.body.metadata.vehicle.id === vehicleId
      ? [entry.body.metadata.event?.id ?? '']
      : [],
  );
}

/** Without a process in between: an open window does not wait for one to start. */
export async function askOnBoard<Answer>(agent: AgentBench, question: AgentQuestion): Promise<Answer> {
  return (await askAgent(join(agent.stateDir, 'agent.sock'), question)) as Answer;
}

async function firedOf(agent: AgentBench, campaignId: string): Promise<number> {
  type Why = { readonly explanation?: { readonly statistics: { readonly fired: number } } };
  const answer = await askOnBoard<Why>(agent, { kind: 'why', subject: `campaign/${campaignId}` });
  return answer.explanation?.statistics.fired ?? 0;
}
