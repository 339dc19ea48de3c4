/** Why: what must not leave the vehicle must not even reach its disk, whichever way it takes: ring, spool, quarantine or an answer. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectPublisher, type Publisher } from '@fleetloop/edge-agent/publish';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ControlPlaneProcess, type IngestBench, openIngestBench } from '../ingest/control-plane-process.ts';
import { type AgentBench, openAgentBench } from './agent-process.ts';
import { bytesBelow, type FoundRecording, recordingsIn } from './recordings-on-disk.ts';

const DEADLINE = { timeout: 60_000, interval: 50 };
const IMAGE = join(import.meta.dirname, '../../edge-agent/src/record/fixtures/solidWhiteCurve.jpg');
const LATITUDE = 42.026_812_345_678_9;
const HEADING = 123.456_789_012_345;
const PLATE = 'OKG-7741';
const DRIVER = 'Jane Q. Publicova';
const CABIN = 'a-sentence-spoken-in-the-cabin';
/** Proves that the search would find what lies there. */
const MARKER = 'this-marker-may-be-recorded';
const VIN_TEXT = 'WVWZZZ1JZXW000001';

const REDACTION = [
  { kind: 'drop', name: 'cabin', topics: ['/sensor/cabin/*'] },
  { kind: 'drop', name: 'heading', paths: ['Vehicle.CurrentLocation.Heading'] },
  { kind: 'round', name: 'about-a-kilometre', paths: ['Vehicle.CurrentLocation.Latitude'], step: 0.01 },
  { kind: 'round', name: 'fix', topics: ['/sensor/front/plates'], fields: ['at'], step: 1 },
  {
    kind: 'hash',
    name: 'identifiers',
    topics: ['/sensor/front/plates', '/sensor/rear/plates'],
    fields: ['plate', 'seen.vin'],
    attributes: ['driver'],
  },
  {
    kind: 'blank',
    name: 'left-half',
    topics: ['/sensor/front/camera'],
    regions: [{ x: 0, y: 0, width: 0.5, height: 1 }],
  },
];

let root: string;
let bench: IngestBench;
let controlPlane: ControlPlaneProcess;
let agent: AgentBench & AsyncDisposable;
let image: Buffer;
let publisher: Publisher;
let recording: FoundRecording;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-redaction-'));
  bench = await openIngestBench();
  controlPlane = await bench.start();
  image = await readFile(IMAGE);
  const hashKeyFile = join(root, 'hash.key');
  await writeFile(hashKeyFile, 'a secret of this vehicle alone');
  agent = await openAgentBench({
    api: controlPlane.api,
    natsUrl: bench.nats.url,
    folder: join(root, 'v'),
    vehicleId: 'redacted',
    settings: ({ liveSocket }) => ({
      live: { socket: { path: liveSocket }, attributes: { driver: DRIVER, place: MARKER } },
      redaction: { rules: REDACTION, hashKeyFile },
      // Recordings stay on disk to be looked at.
      uplink: { networkClass: 'offline' },
    }),
  });
  await agent.start();
  await controlPlane.api.post('/v1/campaigns', { campaign: CAMPAIGN, vehicles: [agent.vehicleId] });
  await until(async () => (await agent.ask('why', 'north')).stdout.includes('is active'));
  publisher = connectPublisher({ socketPath: agent.liveSocket, name: 'sensors' });
  await publishAll();
  await until(async () => (await recordingsIn(agent.stateDir)).length === 1);
  recording = (await recordingsIn(agent.stateDir))[0] as FoundRecording;
});
afterAll(async () => {
  await publisher?.close();
  await agent?.[Symbol.asyncDispose]();
  await bench?.[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  await vi.waitUntil(isSo, DEADLINE);
}

const CAMPAIGN = {
  kind: 'campaign',
  id: 'north',
  version: 1,
  description: '',
  owner: 'tester',
  priority: 'normal',
  inputs: [
    { kind: 'signal', name: 'latitude', path: 'Vehicle.CurrentLocation.Latitude', unit: 'degrees' },
    { kind: 'signal', name: 'heading', path: 'Vehicle.CurrentLocation.Heading', unit: 'degrees' },
  ],
  // True only of the value as it came: triggers see what the recording may not hold.
  condition: 'latitude > 42.0268 && heading > 123.4',
  edge: 'rising',
  preWindowMs: 5_000,
  postWindowMs: 1_000,
};

async function publishAll(): Promise<void> {
  const json = { schemaName: 'Plates', messageEncoding: 'json' };
  const camera = publisher.declareChannel({
    topic: '/sensor/front/camera',
    schemaName: 'Jpeg',
    messageEncoding: 'jpeg',
  });
  const plates = publisher.declareChannel({ topic: '/sensor/front/plates', ...json });
  const rear = publisher.declareChannel({ topic: '/sensor/rear/plates', ...json });
  const cabin = publisher.declareChannel({ topic: '/sensor/cabin/voice', ...json });
  const place = publisher.declareSignals({
    topic: '/vss/Vehicle.CurrentLocation',
    signals: [{ path: 'Vehicle.CurrentLocation.Latitude' }, { path: 'Vehicle.CurrentLocation.Heading' }],
  });
  await publisher.ready(AbortSignal.timeout(DEADLINE.timeout));
  const text = (value: object): Uint8Array => Buffer.from(JSON.stringify(value));
  camera.publish(image);
  cabin.publish(text({ said: CABIN }));
  plates.publish(text({ plate: PLATE, seen: [{ vin: VIN_TEXT }], at: LATITUDE, note: MARKER }));
  // Neither an image nor JSON nor a number: rules that cannot be applied keep these out.
  camera.publish(Buffer.from(`no image: ${CABIN}`));
  rear.publish(Buffer.from(`{"plate":"${PLATE}`));
  plates.publish(text({ at: String(LATITUDE), plate: PLATE }));
  place.publish([LATITUDE, HEADING]);
  await publisher.flush(AbortSignal.timeout(DEADLINE.timeout));
}

const doubleBytes = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
};

/** Pieces of the picture that stand nowhere in one that was encoded anew. */
const pieces = (): readonly Buffer[] =>
  Array.from({ length: 40 }, (_, index) => {
    const at = Math.floor(image.length * 0.1) + index * Math.floor((image.length * 0.8) / 40);
    return image.subarray(at, at + 16);
  });

function secrets(): ReadonlyMap<string, readonly Buffer[]> {
  return new Map<string, readonly Buffer[]>([
    ['picture', pieces()],
    ['latitude', [doubleBytes(LATITUDE), Buffer.from(String(LATITUDE).slice(0, 8))]],
    ['heading', [doubleBytes(HEADING), Buffer.from(String(HEADING).slice(0, 8))]],
    ['identifiers', [Buffer.from(PLATE), Buffer.from(VIN_TEXT), Buffer.from(DRIVER)]],
    ['cabin', [Buffer.from(CABIN)]],
  ]);
}

/** Names of what was found. */
function found(bytes: Buffer): readonly string[] {
  return [...secrets()].flatMap(([name, all]) => (all.some((secret) => bytes.includes(secret)) ? [name] : []));
}

describe('redaction', () => {
  it('keeps every byte of what it redacts away from the ring and from the spool', async () => {
    const inRing = async (): Promise<Buffer> => bytesBelow(join(agent.stateDir, 'ring'));
    await expect.poll(async () => (await inRing()).includes(MARKER), DEADLINE).toBe(true);
    const spool = await bytesBelow(join(agent.stateDir, 'spool'));
    expect(spool.includes(MARKER)).toBe(true);
    expect(found(await bytesBelow(agent.stateDir))).toEqual([]);
  });

  it('would be noticed if it did not', () => {
    const all = Buffer.concat([
      image,
      doubleBytes(LATITUDE),
      doubleBytes(HEADING),
      Buffer.from(PLATE),
      Buffer.from(CABIN),
    ]);
    expect(found(all)).toEqual([...secrets().keys()]);
  });

  it('lets triggers see what the recording may not hold', () => {
    const [place] = recording.messages.filter(({ channel }) => channel.topic === '/vss/Vehicle.CurrentLocation');
    expect(place).toMatchObject({ kind: 'signal', values: Float64Array.of(42.03, Number.NaN) });
    expect(recording.metadata.event?.triggers).toMatchObject([{ campaign: 'north' }]);
  });

  it('keeps a blanked image as a smaller image, and a message that is no image not at all', () => {
    const images = recording.messages.filter(({ channel }) => channel.topic === '/sensor/front/camera');
    expect(images).toHaveLength(1);
    const data = images[0]?.kind === 'opaque' ? Buffer.from(images[0].data) : Buffer.alloc(0);
    // Start and end of a JPEG; half of it is one colour now.
    expect([data.subarray(0, 2).toString('hex'), data.subarray(-2).toString('hex')]).toEqual(['ffd8', 'ffd9']);
    expect(data.length).toBeGreaterThan(image.length / 10);
    expect(pieces().some((piece) => data.includes(piece))).toBe(false);
  });

  it('hashes identifiers, so that equal ones stay equal', () => {
    const [plates, ...others] = recording.messages.filter(({ channel }) => channel.topic === '/sensor/front/plates');
    expect(others).toEqual([]);
    const text = new TextDecoder().decode(plates?.kind === 'opaque' ? plates.data : undefined);
    const document = JSON.parse(text) as { plate: string; seen: readonly { vin: string }[]; at: number; note: string };
    expect(document).toMatchObject({ at: 42, note: MARKER });
    expect(document.plate).toMatch(/^[A-Za-z0-9:_-]{16,}$/);
    expect(document.seen[0]?.vin).not.toBe(document.plate);
    expect(recording.metadata.session.attributes).toMatchObject({ place: MARKER });
    expect(recording.metadata.session.attributes['driver']).not.toContain('Jane');
  });

  it('says in the recording which rules were applied to what', () => {
    const applied = recording.metadata.redactions?.map(({ rule, kind, topic, messages }) => [
      rule,
      kind,
      topic,
      messages,
    ]);
    expect(applied?.toSorted()).toEqual([
      ['about-a-kilometre', 'round', '/vss/Vehicle.CurrentLocation', 1],
      ['cabin', 'drop', '/sensor/cabin/voice', 1],
      ['fix', 'round', '/sensor/front/plates', 2],
      ['heading', 'drop', '/vss/Vehicle.CurrentLocation', 1],
      ['identifiers', 'hash', '/sensor/front/plates', 1],
      ['identifiers', 'hash', '/sensor/rear/plates', 1],
      ['identifiers', 'hash', 'fleet.session', 0],
      ['left-half', 'blank', '/sensor/front/camera', 2],
    ]);
  });

  it('counts what no rule could be applied to, and does not say it in answers or diagnostics', async () => {
    const status = await agent.ask('status', '--json');
    expect(JSON.parse(status.stdout)).toMatchObject({ capture: { redactionFailures: 3 } });
    const why = (await agent.ask('why', 'north')).stdout;
    expect(why).toContain('latitude withheld degrees, heading withheld degrees');
    const answers = Buffer.from(status.stdout + why + (await agent.ask('why', 'north', '--json')).stdout);
    expect(found(answers)).toEqual([]);
    const lines = (await agent.diagnostics()).filter(({ msg }) => msg !== 'agent.started');
    expect(lines.some(({ msg, code }) => msg === 'record.redaction.failed' && code === 'RECORD_REDACTION')).toBe(true);
    expect(found(Buffer.from(JSON.stringify(lines)))).toEqual([]);
  });
});
