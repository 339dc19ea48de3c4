/** Why: a vehicle behind a region knows nothing of the centre; whatever of the way dies, its own process must bring each recording there once. */
import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blackboxDrives, type RecordedDrive } from '@fleetloop/sim';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentBench, hardManoeuvre, openAgentBench } from '../agent/agent-process.ts';
import { acceptedEvents, DEADLINE, evictions, replace } from '../agent/live-vehicle.ts';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { openRegion, REGION, type Region, type RelayProcess } from './region.ts';

const VEHICLE = 'regional';
const DRIVES_OF_A_PART = 4;

let root: string;
let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let region: Region;
let relay: RelayProcess;
let agent: AgentBench & AsyncDisposable;
const drives: RecordedDrive[] = [...blackboxDrives()];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-relay-agent-'));
  bench = await openIngestBench();
  controlPlane = await bench.start();
  region = await openRegion(bench);
  relay = await region.startRelay();
  agent = await openAgentBench({
    api: controlPlane.api,
    natsUrl: region.leaf.url,
    folder: join(root, VEHICLE),
    vehicleId: VEHICLE,
    settings: ({ folder }) => ({ uplink: { networkClassFile: join(folder, 'network') } }),
  });
  await agent.start();
  await controlPlane.api.post('/v1/campaigns', { campaign: await hardManoeuvre(), vehicles: [VEHICLE] });
});
afterAll(async () => {
  await agent?.[Symbol.asyncDispose]();
  await region?.[Symbol.asyncDispose]();
  await bench?.[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

/** Event ids of the agent's diagnostics of one name, each once. */
async function events(name: string): Promise<ReadonlySet<string>> {
  const lines = (await agent.diagnostics()).filter(({ msg }) => msg === name);
  return new Set(lines.map(({ eventId }) => String(eventId)));
}

async function says(name: string, times: number): Promise<void> {
  const said = async (): Promise<number> => (await agent.diagnostics()).filter(({ msg }) => msg === name).length;
  await expect.poll(said, DEADLINE).toBeGreaterThanOrEqual(times);
}

/** Some more drives are over, and their events are on disk. */
async function driveOn(): Promise<void> {
  const before = (await agent.diagnostics()).filter(({ msg }) => msg === 'capture.drive.finished').length;
  const next = drives.splice(0, DRIVES_OF_A_PART);
  await agent.drive(next);
  await says('capture.drive.finished', before + next.length);
}

async function allStored(): Promise<void> {
  const captured = await events('record.event.spooled');
  const waiting = async (): Promise<number> => captured.difference(await events('uplink.recording.stored')).size;
  await expect.poll(waiting, DEADLINE).toBe(0);
}

/** Every event that was captured is in the ledger once, and nothing is left on the vehicle. */
async function allVerified(): Promise<void> {
  const captured = [...(await events('record.event.spooled'))].toSorted();
  const ended = [...(await events('uplink.recording.failed'))];
  const expected = captured.filter((eventId) => !ended.includes(eventId));
  await expect.poll(async () => (await acceptedEvents(bench, VEHICLE)).toSorted(), DEADLINE).toEqual(expected);
  await expect.poll(agent.spooled, DEADLINE).toEqual([]);
}

describe('an agent behind a region', () => {
  it('knows that the relay has its recordings while the centre is down, and brings each there once it is back', async () => {
    await says('campaign.active', 1);
    await bench.nats.kill();
    await driveOn();
    await allStored();
    const [eventId = ''] = await events('uplink.recording.stored');
    expect((await agent.ask('why', `event/${eventId}`)).stdout).toContain(REGION);
    expect((await agent.spooled()).length).toBeGreaterThan(0);
    await bench.nats.restart();
    await allVerified();
  });

  it('loses nothing when the relay is killed in the middle', async () => {
    const driven = driveOn();
    await relay.kill();
    await driven;
    relay = await region.startRelay();
    await allVerified();
  });

  it('loses nothing when the nats-server of the region is killed in the middle', async () => {
    const driven = driveOn();
    await region.leaf.kill();
    await driven;
    await region.leaf.restart();
    await allVerified();
  });

  it('loses nothing when relay, region, centre and agent are all killed', async () => {
    const driven = driveOn();
    await bench.nats.kill();
    await driven;
    await allStored();
    await Promise.all([agent.kill(), relay.kill(), region.leaf.kill(), controlPlane.kill()]);
    await region.leaf.restart();
    relay = await region.startRelay();
    await agent.start();
    await bench.nats.restart();
    controlPlane = await bench.start();
    await allVerified();
  });

  it('does not send a recording that has changed on its own disk, and says why', async () => {
    await replace(join(root, VEHICLE, 'network'), 'offline');
    await says('uplink.network.changed', 1);
    await driveOn();
    const queue = join(agent.stateDir, 'spool', 'queue');
    const [name = ''] = (await agent.spooled()).toSorted();
    await flipByte(join(queue, name));
    await replace(join(root, VEHICLE, 'network'), 'wifi');
    await says('uplink.recording.failed', 1);
    const [corrupt = ''] = await events('uplink.recording.failed');
    expect(name).toContain(corrupt);
    expect((await agent.ask('why', `event/${corrupt}`)).stdout).toContain('SPOOL_CORRUPT');
    await allVerified();
    await expect
      .poll(async () => (await evictions(bench, VEHICLE)).map(({ eventId, code }) => ({ eventId, code })), DEADLINE)
      .toEqual([{ eventId: corrupt, code: 'SPOOL_CORRUPT' }]);
    expect(await readdir(join(agent.stateDir, 'spool', 'quarantine'))).not.toEqual([]);
  });
});

/** As a disk does it that fails: same length, same name. */
async function flipByte(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    const at = Math.floor(size / 2);
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
    await file.write(Buffer.of((buffer[0] ?? 0) ^ 1), 0, 1, at);
  } finally {
    await file.close();
  }
}
