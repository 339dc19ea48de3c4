/** Why: three days of a hostile link, on real sockets and with real kills: what an agent has on disk arrives once or is told, whatever the road does. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { env } from 'node:process';
import { setInterval as every } from 'node:timers/promises';
import type { RecordingPage } from '@fleetloop/control-plane';
import type { AgentStatus } from '@fleetloop/edge-agent';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { readRecording } from '@fleetloop/schemas/recording';
import { hostileRoad, ScriptedLink, steadyLink } from '@fleetloop/sim';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentBench, openAgentBench } from '../agent/agent-process.ts';
import { askOnBoard } from '../agent/live-vehicle.ts';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { driveOnRoad, type RoadDrive } from './road-drive.ts';
import { ROAD_CAMPAIGNS, type RoadAction, roadCampaign, roadPlan } from './road-plan.ts';
import { type Accepted, factsOf, type RoadEnd, RoadWitness } from './road-witness.ts';

const SEED = Number(env['FLEETLOOP_CRASH_SEED'] ?? 1);
const HOURS = 72;
/** 72 hours pass in 45 s. */
const COMPRESSION = 5_760;
const DURATION_MS = (HOURS * 3_600_000) / COMPRESSION;
const DEADLINE = { timeout: 60_000, interval: 50 };
const LOOK_EVERY_MS = 50;
const VEHICLE = 'on-the-road';
const MIB = 1_024 * 1_024;

let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let link: ScriptedLink;
let agent: AgentBench & AsyncDisposable;
let drive: RoadDrive;
const witness = new RoadWitness();

beforeAll(async () => {
  console.log(`seed ${SEED}; FLEETLOOP_CRASH_SEED=${SEED} replays the road and what happens on it`);
  bench = await openIngestBench();
  controlPlane = await bench.start();
  link = await ScriptedLink.start({ target: bench.nats.url, script: steadyLink({}, SEED) });
  agent = await openAgentBench({
    api: controlPlane.api,
    natsUrl: link.url,
    folder: join(bench.root, VEHICLE),
    vehicleId: VEHICLE,
    settings: ({ liveSocket }) => ({
      live: { socket: { path: liveSocket } },
      // Less than a long outage fills.
      spool: { quotaBytes: MIB, reserveBytes: 0, safetyFloorBytes: MIB / 4 },
    }),
  });
  await agent.start();
  drive = await driveOnRoad(agent.liveSocket, SEED);
});
afterAll(async () => {
  await drive?.[Symbol.asyncDispose]();
  await agent?.[Symbol.asyncDispose]();
  await link?.[Symbol.asyncDispose]();
  await bench?.[Symbol.asyncDispose]();
});

const status = async (): Promise<AgentStatus> => askOnBoard<AgentStatus>(agent, { kind: 'status' });

async function activeVersions(): Promise<Readonly<Record<string, number>>> {
  const { campaigns } = await status();
  return Object.fromEntries(campaigns.flatMap(({ id, version, state }) => (state === 'active' ? [[id, version]] : [])));
}

async function push(campaign: object): Promise<void> {
  await controlPlane.api.post('/v1/campaigns', { campaign, vehicles: [VEHICLE] });
}

async function readIndex(): Promise<void> {
  witness.readIndex(await readFile(join(agent.stateDir, 'spool', 'index.journal'), 'utf8'));
}

async function happen(action: RoadAction): Promise<void> {
  if (action.kind === 'fire') return drive.fire(action.campaign);
  if (action.kind === 'push') return push(action.campaign);
  await agent.kill();
  await readIndex();
  witness.killed();
  await agent.start();
}

/** Asks the agent again and again while it lives; nobody answers between a kill and the next start. */
async function watch(signal: AbortSignal): Promise<void> {
  try {
    for await (const _ of every(LOOK_EVERY_MS, undefined, { signal })) {
      const seen = await status().catch(() => undefined);
      if (seen !== undefined) witness.look(seen);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Nothing is open, nothing waits and nothing is to be told. */
async function waiting(): Promise<object> {
  const { record, spool } = await status();
  const { isOpen, spooled, tombstonesWaiting } = spool;
  return { isOpen, open: record.pending.length, writing: record.waitingForDisk, spooled, tombstonesWaiting };
}

async function roadEnd(): Promise<RoadEnd> {
  const ledger = await bench.readLedger();
  const accepted = factsOf(ledger, 'recording.accepted').length;
  const page = async (): Promise<RecordingPage> =>
    controlPlane.api.get<RecordingPage>('/v1/recordings', { query: { limit: 1_000 } });
  await expect.poll(async () => (await page()).recordings.length, DEADLINE).toBeGreaterThanOrEqual(accepted);
  const { quarantined } = await controlPlane.api.get<{ quarantined: object[] }>('/v1/quarantine');
  return {
    ledger,
    catalogue: (await page()).recordings,
    quarantined: quarantined.map((each) => JSON.stringify(each)),
    staged: await stagedChunks(),
    leftovers: [...(await underWay()), ...(await aside())],
  };
}

async function stagedChunks(): Promise<readonly string[]> {
  return (await readdir(join(bench.dataDir, 'staging', VEHICLE))).map((name) => `sha256:${name}`);
}

async function filesBelow(...folder: readonly [string, ...string[]]): Promise<readonly string[]> {
  const entries = await readdir(join(...folder), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
}

/** Files that only something under way has. */
async function underWay(): Promise<readonly string[]> {
  const all = [...(await filesBelow(agent.stateDir)), ...(await filesBelow(bench.dataDir))];
  const queue = await filesBelow(agent.stateDir, 'spool', 'queue');
  return [
    ...all.filter((name) => name.endsWith('.active')),
    ...queue,
    ...(await filesBelow(bench.dataDir, 'assembly')),
  ];
}

/** Files that the agent has put aside. */
async function aside(): Promise<readonly string[]> {
  const folders = ['refused', 'quarantine'].map(async (name) => filesBelow(agent.stateDir, 'spool', name));
  return (await Promise.all(folders)).flat();
}

/** Reads what the catalogue has back, byte by byte and message by message. */
async function unreadable(accepted: readonly Accepted[]): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const { recording, messages } of accepted) {
    const bytes = await controlPlane.api.getBytes(`/v1/recordings/${recording}/content`);
    let read = 0;
    for await (const { kind } of readRecording([bytes])) read += kind === 'message' ? 1 : 0;
    if (digestOfBytes(bytes) !== recording || read !== messages)
      faults.push(`whole: ${recording} has ${read} messages of ${messages}`);
  }
  return faults;
}

describe('72 hours on a hostile road', () => {
  it('bring each event that was on disk into the catalogue once or its tombstone into the ledger, over kills and pushes', async () => {
    for (const id of ROAD_CAMPAIGNS) await push(roadCampaign(id, 1, 500));
    await expect.poll(activeVersions, DEADLINE).toEqual(Object.fromEntries(ROAD_CAMPAIGNS.map((id) => [id, 1])));
    const plan = roadPlan(SEED, DURATION_MS);
    const over = new AbortController();
    const watching = watch(over.signal);
    link.play(hostileRoad({ seed: SEED, hours: HOURS, compression: COMPRESSION }).events);
    for (const action of plan) {
      await link.reached(action.atMs);
      await happen(action);
    }
    await link.reached(DURATION_MS);
    await expect
      .poll(waiting, DEADLINE)
      .toEqual({ isOpen: true, open: 0, writing: 0, spooled: 0, tombstonesWaiting: 0 });
    over.abort();
    await watching;

    await readIndex();
    witness.readDiagnostics(await agent.diagnostics());
    await expect.poll(underWay, DEADLINE).toEqual([]);
    const end = await roadEnd();
    const accepted = factsOf(end.ledger, 'recording.accepted');
    const tombstones = factsOf(end.ledger, 'recording.evicted').length;
    const { cuts, up } = link.counts();
    const neededBytes = accepted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    console.log(
      `seed ${SEED}: ${witness.acknowledged} events on disk, ${accepted.length} recordings (${(neededBytes / MIB).toFixed(1)} MiB, ` +
        `${(up.onLink / MIB).toFixed(1)} MiB on the link), ${tombstones} tombstones, ${cuts} cuts, ` +
        `${witness.crossedByPush} events open over a push`,
    );
    expect(witness.faults(end)).toEqual([]);
    expect(await unreadable(accepted)).toEqual([]);
    const versions = plan.flatMap((action) => (action.kind === 'push' ? [action.campaign] : []));
    expect(versions).not.toEqual([]);
    expect(await activeVersions()).toMatchObject(newest(versions));
    // A road on which nothing happened would have proven nothing.
    expect(cuts).toBeGreaterThanOrEqual(10);
    expect(witness.crossedByPush).toBeGreaterThan(0);
    expect(accepted.length).toBeGreaterThanOrEqual(5);
    expect(tombstones).toBeGreaterThan(0);
  });
});

/** By campaign. */
function newest(campaigns: readonly object[]): Readonly<Record<string, number>> {
  const versions = (campaigns as readonly { id: string; version: number }[]).map(({ id, version }) => [id, version]);
  return Object.fromEntries(versions) as Record<string, number>;
}
